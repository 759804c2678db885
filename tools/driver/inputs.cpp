#include "tools/driver/inputs.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "fmt/format.h"
#include "runtime/npy.h"
#include "runtime/shape.h"

namespace gradus::tools {
namespace {

using runtime::Tensor;

struct Given {
  std::string source;            // the file, for messages; "" for a number
  std::optional<Tensor> tensor;  // from a file
  std::string number;
};

runtime::DType ToRuntime(ir::DType d) { return static_cast<runtime::DType>(d); }

// SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// Calls visit with the elements as a span of their C++ type.
template <typename Visit>
void VisitElements(Tensor& tensor, Visit visit) {
  switch (tensor.dtype()) {
    case runtime::DType::kI1: return visit(tensor.data<uint8_t>());
    case runtime::DType::kI32: return visit(tensor.data<int32_t>());
    case runtime::DType::kI64: return visit(tensor.data<int64_t>());
    case runtime::DType::kF32: return visit(tensor.data<float>());
    case runtime::DType::kF64: return visit(tensor.data<double>());
  }
}

void FillRandom(Tensor& tensor, uint64_t key) {
  VisitElements(tensor, [key](auto elements) {
    using T = std::remove_reference_t<decltype(elements[0])>;
    for (size_t i = 0; i < elements.size(); ++i) {
      const uint64_t bits = Mix(key + i);
      if constexpr (std::is_floating_point_v<T>) {
        // 23 bits: exact in f32, so that f32 and f64 get the same numbers.
        elements[i] = static_cast<T>(static_cast<double>(bits >> 41) * 0x1p-22 - 1.0);
      } else {
        elements[i] = static_cast<T>(bits >> 63);
      }
    }
  });
}

absl::Status FillNumber(Tensor& tensor, const std::string& text, const std::string& argument) {
  bool good = false;
  VisitElements(tensor, [&](auto elements) {
    using T = std::remove_reference_t<decltype(elements[0])>;
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    good = error == std::errc() && end == text.data() + text.size();
    if (tensor.dtype() == runtime::DType::kI1) good = good && value <= T{1};
    std::fill(elements.begin(), elements.end(), value);
  });
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("--input={}: not a number that argument '{}' of {} can hold\n  help: files are "
                  "written @x.npy",
                  text, argument, runtime::DTypeName(tensor.dtype())));
}

class Inputs {
 public:
  Inputs(const ir::Function& f, const InputOptions& options) : f_(f), options_(options) {}

  absl::StatusOr<std::vector<Tensor>> Process() {
    given_.resize(static_cast<size_t>(f_.num_args()));
    if (absl::Status status = ReadAll(); !status.ok()) return status;
    if (absl::Status status = ReadDims(); !status.ok()) return status;
    for (int i = 0; i < f_.num_args(); ++i) {
      if (absl::Status status = Bind(i); !status.ok()) return status;
    }
    std::vector<Tensor> tensors;
    for (int i = 0; i < f_.num_args(); ++i) {
      absl::StatusOr<Tensor> tensor = Make(i);
      if (!tensor.ok()) return tensor.status();
      tensors.push_back(*std::move(tensor));
    }
    return tensors;
  }

 private:
  const std::string& Name(int i) const { return f_.arg(i).node()->name(); }

  absl::Status ReadAll() {
    int next = 0;
    for (const std::string& input : options_.inputs) {
      std::string source = input;
      int index = -1;
      // NAME=@FILE, but not the '=' in the name of a file.
      const size_t equals = input.find('=');
      if (equals != std::string::npos && input[0] != '@') {
        const ir::Value named = f_.FindArgument(std::string_view(input).substr(0, equals));
        if (!named) {
          return absl::InvalidArgumentError(fmt::format("--input={}: @{} has no argument '{}'",
                                                        input, f_.name(), input.substr(0, equals)));
        }
        index = f_.ArgumentIndex(named);
        source = input.substr(equals + 1);
      } else {
        while (next < f_.num_args() && IsGiven(next)) ++next;
        if (next == f_.num_args()) {
          return absl::InvalidArgumentError(fmt::format("--input={}: @{} takes {} arguments only",
                                                        input, f_.name(), f_.num_args()));
        }
        index = next++;
      }
      Given& given = given_[static_cast<size_t>(index)];
      if (IsGiven(index)) {
        return absl::InvalidArgumentError(
            fmt::format("--input={}: argument '{}' is given twice", input, Name(index)));
      }
      if (!source.starts_with('@')) {
        given.number = source.empty() ? "?" : source;
        continue;
      }
      given.source = source.substr(1);
      absl::StatusOr<Tensor> tensor = runtime::ReadNpy(given.source);
      if (!tensor.ok()) {
        return absl::Status(
            tensor.status().code(),
            fmt::format("argument '{}': {}", Name(index), std::string(tensor.status().message())));
      }
      given.tensor = *std::move(tensor);
    }
    return absl::OkStatus();
  }

  bool IsGiven(int i) const {
    const Given& given = given_[static_cast<size_t>(i)];
    return given.tensor.has_value() || !given.number.empty();
  }

  absl::Status ReadDims() {
    for (const std::string& dim : options_.dims) {
      const size_t equals = dim.find('=');
      int64_t size = -1;
      bool good = equals != std::string::npos && equals > 0;
      if (good) {
        const char* end = dim.data() + dim.size();
        const auto [stop, error] = std::from_chars(dim.data() + equals + 1, end, size);
        good = error == std::errc() && stop == end && size >= 0;
      }
      if (!good) {
        return absl::InvalidArgumentError(
            fmt::format("--dim={}: expected SYMBOL=SIZE, such as B=32", dim));
      }
      const std::string symbol = dim.substr(0, equals);
      if (!IsSymbol(symbol)) {
        return absl::InvalidArgumentError(
            fmt::format("--dim={}: no argument of @{} has the symbol {}", dim, f_.name(), symbol));
      }
      if (absl::Status s = Fix(symbol, size, fmt::format("--dim={}", dim)); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  bool IsSymbol(const std::string& name) const {
    for (int i = 0; i < f_.num_args(); ++i) {
      for (const ir::Dim& d : f_.arg(i).shape()) {
        if (d.is_symbol() && d.symbol().name() == name) return true;
      }
    }
    return false;
  }

  absl::Status Fix(const std::string& symbol, int64_t size, const std::string& by) {
    const auto [place, inserted] = sizes_.try_emplace(symbol, size, by);
    if (inserted || place->second.first == size) return absl::OkStatus();
    return absl::InvalidArgumentError(fmt::format("{}: {} is {}, but {} made it {}", by, symbol,
                                                  size, place->second.second, place->second.first));
  }

  // Checks a tensor from a file against its argument's type, and lets it fix symbols.
  absl::Status Bind(int i) {
    const Given& given = given_[static_cast<size_t>(i)];
    if (!given.tensor) return absl::OkStatus();
    const ir::Type& type = f_.arg(i).type();
    const Tensor& tensor = *given.tensor;
    const std::string where = fmt::format("{}: argument '{}'", given.source, Name(i));
    const std::string got = runtime::FormatType(tensor.dtype(), tensor.shape());
    if (tensor.dtype() != ToRuntime(type.dtype)) {
      return absl::InvalidArgumentError(
          fmt::format("{}: expected {}, got {}\n  help: convert the array first, in NumPy with "
                      ".astype",
                      where, ir::ToString(type), got));
    }
    bool fits = tensor.rank() == type.rank();
    for (int axis = 0; fits && axis < type.rank(); ++axis) {
      const ir::Dim& d = type.shape[axis];
      fits = d.is_symbol() || d.size() == tensor.shape()[static_cast<size_t>(axis)];
    }
    if (!fits) {
      return absl::InvalidArgumentError(
          fmt::format("{}: expected {}, got {}", where, ir::ToString(type), got));
    }
    for (int axis = 0; axis < type.rank(); ++axis) {
      const ir::Dim& d = type.shape[axis];
      if (!d.is_symbol()) continue;
      const int64_t size = tensor.shape()[static_cast<size_t>(axis)];
      absl::Status status = Fix(std::string(d.symbol().name()), size, where);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Tensor> Make(int i) {
    Given& given = given_[static_cast<size_t>(i)];
    if (given.tensor) return *std::move(given.tensor);
    std::vector<int64_t> shape;
    for (const ir::Dim& d : f_.arg(i).shape()) {
      if (!d.is_symbol()) {
        shape.push_back(d.size());
        continue;
      }
      const std::string symbol(d.symbol().name());
      const auto found = sizes_.find(symbol);
      if (found == sizes_.end()) {
        return absl::InvalidArgumentError(fmt::format(
            "argument '{}' is {}: no input says how large {} is\n  help: add --dim={}=32", Name(i),
            ir::ToString(f_.arg(i).type()), symbol, symbol));
      }
      shape.push_back(found->second.first);
    }
    absl::StatusOr<Tensor> tensor = Tensor::Zeros(ToRuntime(f_.arg(i).dtype()), std::move(shape));
    if (!tensor.ok()) return tensor;
    if (given.number.empty()) {
      FillRandom(*tensor,
                 Mix(Mix(static_cast<uint64_t>(options_.seed)) + static_cast<uint64_t>(i)));
    } else if (absl::Status s = FillNumber(*tensor, given.number, Name(i)); !s.ok()) {
      return s;
    }
    return tensor;
  }

  const ir::Function& f_;
  const InputOptions& options_;
  std::vector<Given> given_;
  std::map<std::string, std::pair<int64_t, std::string>> sizes_;  // and what fixed it
};

}  // namespace

absl::StatusOr<std::vector<Tensor>> MakeInputs(const ir::Function& function,
                                               const InputOptions& options) {
  return Inputs(function, options).Process();
}

passes::Sizes SizesOf(const ir::Function& f, const std::vector<Tensor>& arguments) {
  passes::Sizes sizes;
  for (int i = 0; i < f.num_args(); ++i) {
    const ir::Shape& shape = f.arg(i).shape();
    for (int axis = 0; axis < shape.rank(); ++axis) {
      if (!shape[axis].is_symbol()) continue;
      sizes[std::string(shape[axis].symbol().name())] =
          arguments[static_cast<size_t>(i)].shape()[static_cast<size_t>(axis)];
    }
  }
  return sizes;
}

}  // namespace gradus::tools
