#include "runtime/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <exception>
#include <utility>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "runtime/small_floats.h"

namespace gradus::runtime {
namespace {

static_assert(std::endian::native == std::endian::little, "bytes are copied as they are");

template <class T>
T Get(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}
template <class T>
void Put(void* to, T value) {
  std::memcpy(to, &value, sizeof(T));
}

// A type that files may hold: the type it is read as, and how one element is read where that is not
// a copy; false if it does not fit.
struct FileType {
  std::string_view code;
  int64_t size;
  DType dtype;
  bool (*read)(const char* in, void* out);
};

template <class From, class To>
bool Widen(const char* in, void* out) {
  Put<To>(out, Get<From>(in));
  return true;
}
template <class Bits, float (*kDecode)(Bits)>
bool Decode(const char* in, void* out) {
  Put<float>(out, kDecode(Get<Bits>(in)));
  return true;
}
// Any byte but 0 counts as true: compiled code trusts an i1 to be 0 or 1.
bool ReadBool(const char* in, void* out) {
  Put<uint8_t>(out, *in != 0 ? 1 : 0);
  return true;
}
bool ReadU64(const char* in, void* out) {
  const auto value = Get<uint64_t>(in);
  Put<uint64_t>(out, value);
  return value <= uint64_t{INT64_MAX};
}

constexpr FileType kFileTypes[] = {
    {"F64", 8, DType::kF64, nullptr},
    {"F32", 4, DType::kF32, nullptr},
    {"F16", 2, DType::kF32, Decode<uint16_t, HalfToFloat>},
    {"BF16", 2, DType::kF32, Decode<uint16_t, BfloatToFloat>},
    {"F8_E4M3", 1, DType::kF32, Decode<uint8_t, Fp8E4m3ToFloat>},
    {"F8_E5M2", 1, DType::kF32, Decode<uint8_t, Fp8E5m2ToFloat>},
    {"I64", 8, DType::kI64, nullptr},
    {"U64", 8, DType::kI64, ReadU64},
    {"I32", 4, DType::kI32, nullptr},
    {"U32", 4, DType::kI64, Widen<uint32_t, int64_t>},
    {"I16", 2, DType::kI32, Widen<int16_t, int32_t>},
    {"U16", 2, DType::kI32, Widen<uint16_t, int32_t>},
    {"I8", 1, DType::kI32, Widen<int8_t, int32_t>},
    {"U8", 1, DType::kI32, Widen<uint8_t, int32_t>},
    {"BOOL", 1, DType::kI1, ReadBool},
};

const FileType* FindType(std::string_view code) {
  for (const FileType& type : kFileTypes) {
    if (type.code == code) return &type;
  }
  return nullptr;
}

std::string_view CodeOf(DType dtype) {
  switch (dtype) {
    case DType::kI1: return "BOOL";
    case DType::kI32: return "I32";
    case DType::kI64: return "I64";
    case DType::kF32: return "F32";
    case DType::kF64: return "F64";
  }
  return "";
}

// Whether the tensor's bytes are its shape's.
absl::Status CheckTensor(const SafetensorsEntry& t, std::string_view file) {
  const auto refuse = [&](std::string_view what) {
    return absl::InvalidArgumentError(
        fmt::format("{}: tensor `{}`: {}", file, SafetensorsExcerpt(t.name), what));
  };
  const FileType* type = FindType(t.dtype);
  if (type == nullptr) {
    std::vector<std::string_view> codes;
    for (const FileType& known : kFileTypes) codes.push_back(known.code);
    return refuse(fmt::format("dtype `{}` is not supported, expected one of {}",
                              SafetensorsExcerpt(t.dtype), fmt::join(codes, ", ")));
  }
  int64_t expected = type->size;
  bool empty = false, overflow = false;
  for (const int64_t size : t.shape) {
    empty = empty || size == 0;
    overflow = overflow || (size != 0 && __builtin_mul_overflow(expected, size, &expected));
  }
  if (overflow) {
    return refuse(
        fmt::format("{} of {} has more bytes than there are", FormatShape(t.shape), type->code));
  }
  if (empty) expected = 0;
  if (t.end < t.begin) {
    return refuse(fmt::format("its bytes end at {}, before they begin at {}", t.end, t.begin));
  }
  if (t.end - t.begin != expected) {
    return refuse(fmt::format("{} of {} takes {} bytes, but data_offsets [{}, {}] hold {}",
                              FormatShape(t.shape), type->code, expected, t.begin, t.end,
                              t.end - t.begin));
  }
  return absl::OkStatus();
}

// Whether the tensors share out the data part: no gap, no overlap, nothing beyond.
absl::Status CheckLayout(const std::vector<SafetensorsEntry>& tensors, int64_t data_bytes,
                         std::string_view file) {
  std::vector<const SafetensorsEntry*> order;
  for (const SafetensorsEntry& t : tensors) order.push_back(&t);
  std::ranges::stable_sort(order, [](const auto* a, const auto* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  int64_t at = 0;
  const SafetensorsEntry* last = nullptr;
  for (const SafetensorsEntry* t : order) {
    if (t->end > data_bytes) {
      return absl::InvalidArgumentError(fmt::format(
          "{}: truncated: tensor `{}` ends at byte {} of the data, but only {} are there", file,
          SafetensorsExcerpt(t->name), t->end, data_bytes));
    }
    if (t->begin < at) {
      return absl::InvalidArgumentError(
          fmt::format("{}: tensors `{}` and `{}` overlap at byte {} of the data", file,
                      SafetensorsExcerpt(last->name), SafetensorsExcerpt(t->name), t->begin));
    }
    if (t->begin > at) {
      return absl::InvalidArgumentError(
          fmt::format("{}: bytes {} to {} of the data, before tensor `{}`, belong to no tensor",
                      file, at, t->begin, SafetensorsExcerpt(t->name)));
    }
    at = t->end;
    last = t;
  }
  if (at != data_bytes) {
    return absl::InvalidArgumentError(
        fmt::format("{}: trailing bytes: the last tensor ends at byte {} of the data, and {} are "
                    "there",
                    file, at, data_bytes));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Safetensors> Safetensors::Read(std::string_view path, int64_t max_bytes) {
  absl::StatusOr<std::string> bytes = ReadFile(path, max_bytes);
  if (!bytes.ok()) return bytes.status();
  return Parse(*std::move(bytes), path);
}

absl::StatusOr<Safetensors> Safetensors::Parse(std::string bytes, std::string_view name) {
  try {
    return ParseOrThrow(std::move(bytes), name);
  } catch (const std::exception&) {  // bad_alloc
    return absl::ResourceExhaustedError(fmt::format("out of memory: cannot read {}", name));
  }
}

absl::StatusOr<Safetensors> Safetensors::ParseOrThrow(std::string bytes, std::string_view name) {
  // 1. The length of the header, against the file's real length.
  if (bytes.size() < 8) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: truncated: {} bytes, expected the length of the header in 8", name, bytes.size()));
  }
  const auto header_bytes = Get<uint64_t>(bytes.data());
  if (header_bytes > kSafetensorsMaxHeaderBytes) {
    return absl::InvalidArgumentError(
        fmt::format("{}: not a safetensors file: it begins with a header length of {}, expected at "
                    "most {}",
                    name, header_bytes, kSafetensorsMaxHeaderBytes));
  }
  if (header_bytes > bytes.size() - 8) {
    return absl::InvalidArgumentError(
        fmt::format("{}: truncated: the header has {} bytes, but only {} follow", name,
                    header_bytes, bytes.size() - 8));
  }
  // 2. The header, and what it says of the data.
  const std::string_view text = std::string_view(bytes).substr(8, header_bytes);
  absl::StatusOr<SafetensorsHeader> header = ParseSafetensorsHeader(text, name);
  if (!header.ok()) return header.status();
  for (const SafetensorsEntry& t : header->tensors) {
    if (absl::Status s = CheckTensor(t, name); !s.ok()) return s;
  }
  const auto data_bytes = static_cast<int64_t>(bytes.size() - 8 - header_bytes);
  if (absl::Status s = CheckLayout(header->tensors, data_bytes, name); !s.ok()) return s;

  Safetensors file;
  file.name_ = name;
  file.data_at_ = 8 + header_bytes;
  file.bytes_ = std::move(bytes);
  file.header_ = *std::move(header);
  for (size_t i = 0; i < file.header_.tensors.size(); ++i) {
    file.by_name_.emplace(file.header_.tensors[i].name, i);
  }
  return file;
}

const SafetensorsEntry* Safetensors::Find(std::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : &header_.tensors[it->second];
}

absl::StatusOr<Tensor> Safetensors::Load(std::string_view name) const {
  const SafetensorsEntry* entry = Find(name);
  if (entry == nullptr) {
    constexpr size_t kMaxListed = 20;
    std::vector<std::string> names;
    for (const auto& [known, index] : by_name_) {
      if (names.size() == kMaxListed) break;
      names.push_back(SafetensorsExcerpt(known));
    }
    return absl::NotFoundError(fmt::format(
        "{}: there is no tensor `{}`; there are {}: {}{}", name_, SafetensorsExcerpt(name),
        by_name_.size(), fmt::join(names, ", "), by_name_.size() > kMaxListed ? ", ..." : ""));
  }
  const FileType& type = *FindType(entry->dtype);
  absl::StatusOr<Tensor> tensor = Tensor::Create(type.dtype, entry->shape);
  if (!tensor.ok()) {
    return absl::Status(tensor.status().code(),
                        fmt::format("{}: tensor `{}`: {}", name_, SafetensorsExcerpt(name),
                                    std::string(tensor.status().message())));
  }
  const auto size = static_cast<size_t>(entry->end - entry->begin);
  if (size == 0) return tensor;
  const char* from = bytes_.data() + data_at_ + entry->begin;
  if (type.read == nullptr) {
    std::memcpy(tensor->raw(), from, size);
    return tensor;
  }
  auto* to = static_cast<char*>(tensor->raw());
  for (int64_t i = 0; i < tensor->num_elements(); ++i) {
    if (type.read(from, to)) {
      from += type.size;
      to += DTypeSize(type.dtype);
      continue;
    }
    return absl::InvalidArgumentError(fmt::format("{}: tensor `{}`: element {} does not fit in {}",
                                                  name_, SafetensorsExcerpt(name), i,
                                                  DTypeName(type.dtype)));
  }
  return tensor;
}

absl::StatusOr<std::string> SerializeSafetensors(std::span<const NamedTensorView> tensors,
                                                 const SafetensorsMetadata& metadata) {
  std::vector<const NamedTensorView*> order;
  for (const NamedTensorView& t : tensors) order.push_back(&t);
  std::ranges::stable_sort(order, [](const auto* a, const auto* b) {
    const int64_t wide_a = DTypeSize(a->tensor.dtype), wide_b = DTypeSize(b->tensor.dtype);
    return wide_a != wide_b ? wide_a > wide_b : a->name < b->name;
  });
  std::string header = "{";
  for (const auto& [key, value] : metadata) {
    if (!IsUtf8(key) || !IsUtf8(value)) {
      return absl::InvalidArgumentError(
          fmt::format("metadata `{}` is not UTF-8", SafetensorsExcerpt(key)));
    }
    header += header.size() == 1 ? "\"__metadata__\":{" : ",";
    header += JsonQuote(key) + ":" + JsonQuote(value);
  }
  if (!metadata.empty()) header += '}';
  std::vector<std::string_view> names;
  int64_t at = 0;
  for (const NamedTensorView* t : order) {
    if (!IsUtf8(t->name) || t->name == "__metadata__") {
      return absl::InvalidArgumentError(
          fmt::format("a tensor cannot be named `{}`: expected UTF-8, and not `__metadata__`",
                      SafetensorsExcerpt(t->name)));
    }
    names.push_back(t->name);
    absl::StatusOr<int64_t> bytes = CheckedDenseBytes(t->tensor.dtype, t->tensor.shape);
    if (!bytes.ok()) return bytes.status();
    int64_t end;
    if (__builtin_add_overflow(at, *bytes, &end)) {
      return absl::InvalidArgumentError("the tensors have more bytes than a file can hold");
    }
    if (*bytes > 0 && t->tensor.data == nullptr) {
      return absl::InvalidArgumentError(fmt::format("tensor `{}` has no memory, expected {} bytes",
                                                    SafetensorsExcerpt(t->name), *bytes));
    }
    if (t->tensor.shape.size() > kSafetensorsMaxRank) {
      return absl::InvalidArgumentError(fmt::format("tensor `{}` has {} axes, expected at most {}",
                                                    SafetensorsExcerpt(t->name),
                                                    t->tensor.shape.size(), kSafetensorsMaxRank));
    }
    header += fmt::format("{}{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                          header.size() == 1 ? "" : ",", JsonQuote(t->name),
                          CodeOf(t->tensor.dtype), fmt::join(t->tensor.shape, ","), at, end);
    at = end;
  }
  std::ranges::sort(names);
  if (const auto twice = std::ranges::adjacent_find(names); twice != names.end()) {
    return absl::InvalidArgumentError(
        fmt::format("two tensors are named `{}`", SafetensorsExcerpt(*twice)));
  }
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');
  if (header.size() > kSafetensorsMaxHeaderBytes) {
    return absl::InvalidArgumentError(fmt::format("the header has {} bytes, expected at most {}",
                                                  header.size(), kSafetensorsMaxHeaderBytes));
  }
  try {
    std::string out;
    out.reserve(8 + header.size() + static_cast<size_t>(at));
    const uint64_t length = header.size();
    out.append(reinterpret_cast<const char*>(&length), sizeof length);
    out += header;
    for (const NamedTensorView* t : order) {
      const int64_t bytes = *DenseBytes(t->tensor.dtype, t->tensor.shape);
      if (bytes > 0)
        out.append(static_cast<const char*>(t->tensor.data), static_cast<size_t>(bytes));
    }
    return out;
  } catch (const std::exception&) {  // bad_alloc or length_error
    return absl::ResourceExhaustedError(
        fmt::format("out of memory: cannot write {} bytes of tensors", at));
  }
}

absl::Status WriteSafetensors(std::string_view path, std::span<const NamedTensorView> tensors,
                              const SafetensorsMetadata& metadata) {
  absl::StatusOr<std::string> bytes = SerializeSafetensors(tensors, metadata);
  if (!bytes.ok()) {
    return absl::Status(bytes.status().code(),
                        fmt::format("{}: {}", path, std::string(bytes.status().message())));
  }
  return WriteFileAtomically(path, *bytes);
}

}  // namespace gradus::runtime
