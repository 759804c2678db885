#include "runtime/npy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "fmt/ranges.h"
#include "runtime/files.h"
#include "runtime/npy_header.h"
#include "runtime/small_floats.h"

namespace gradus::runtime {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);

template <class Unsigned>
Unsigned Load(const char* source, bool swap) {
  std::array<char, sizeof(Unsigned)> bytes;
  std::memcpy(bytes.data(), source, bytes.size());
  if (swap) std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<Unsigned>(bytes);
}

template <class T>
void Store(void* out, T value) {
  std::memcpy(out, &value, sizeof(T));
}

// A type that files may hold: the type it is read as, and how one element is read.
struct FileType {
  std::string_view code;
  size_t size;
  DType dtype;
  bool same_bytes;  // as in memory, when the byte order is ours
  void (*read)(const char* in, bool swap, void* out);
};

constexpr FileType kFileTypes[] = {
    // Any byte but 0 counts as true: compiled code trusts an i1 to be 0 or 1.
    {"b1", 1, DType::kI1, false,
     [](const char* in, bool, void* out) { Store<uint8_t>(out, static_cast<uint8_t>(*in != 0)); }},
    {"i1", 1, DType::kI32, false,
     [](const char* in, bool, void* out) { Store<int32_t>(out, static_cast<int8_t>(*in)); }},
    {"u1", 1, DType::kI32, false,
     [](const char* in, bool, void* out) { Store<int32_t>(out, static_cast<uint8_t>(*in)); }},
    {"i2", 2, DType::kI32, false,
     [](const char* in, bool swap, void* out) {
       Store<int32_t>(out, static_cast<int16_t>(Load<uint16_t>(in, swap)));
     }},
    {"u2", 2, DType::kI32, false,
     [](const char* in, bool swap, void* out) { Store<int32_t>(out, Load<uint16_t>(in, swap)); }},
    {"u4", 4, DType::kI64, false,
     [](const char* in, bool swap, void* out) { Store<int64_t>(out, Load<uint32_t>(in, swap)); }},
    {"f2", 2, DType::kF32, false,
     [](const char* in, bool swap, void* out) {
       Store<float>(out, HalfToFloat(Load<uint16_t>(in, swap)));
     }},
    {"i4", 4, DType::kI32, true,
     [](const char* in, bool swap, void* out) { Store(out, Load<uint32_t>(in, swap)); }},
    {"i8", 8, DType::kI64, true,
     [](const char* in, bool swap, void* out) { Store(out, Load<uint64_t>(in, swap)); }},
    {"f4", 4, DType::kF32, true,
     [](const char* in, bool swap, void* out) { Store(out, Load<uint32_t>(in, swap)); }},
    {"f8", 8, DType::kF64, true,
     [](const char* in, bool swap, void* out) { Store(out, Load<uint64_t>(in, swap)); }},
};

std::string_view KindName(char kind) {
  switch (kind) {
    case 'O': return "Python objects";
    case 'c': return "complex numbers";
    case 'S':
    case 'a':
    case 'U': return "strings";
    case 'M':
    case 'm': return "dates";
    case 'V': return "raw bytes";
    default: return "";
  }
}

struct Elements {
  const FileType* type;
  bool swap;
};

absl::StatusOr<Elements> FindType(std::string_view descr, const NpyRefusal& refuse) {
  std::string_view code = descr;
  char order = '=';
  if (!code.empty() && std::string_view("<>=|").find(code[0]) != std::string_view::npos) {
    order = code[0];
    code.remove_prefix(1);
  }
  if (code == "?") code = "b1";
  for (const FileType& type : kFileTypes) {
    if (type.code != code) continue;
    if (order == '|' && type.size > 1) {
      return refuse(fmt::format("dtype `{}` has no byte order, expected `<{}` or `>{}`",
                                NpyExcerpt(descr), code, code));
    }
    constexpr char kOther = std::endian::native == std::endian::little ? '>' : '<';
    return Elements{&type, order == kOther};
  }
  std::string_view kind = code.empty() ? "" : KindName(code[0]);
  std::vector<std::string_view> supported;
  for (const FileType& type : kFileTypes) supported.push_back(type.code);
  return refuse(fmt::format("dtype `{}`{} is not supported, expected one of {}", NpyExcerpt(descr),
                            kind.empty() ? "" : fmt::format(" ({})", kind),
                            fmt::join(supported, ", ")));
}

// Reads the elements one by one into row-major order. `position` counts through the axes like an
// odometer while `offset` follows it in the file, whose strides are Fortran's or C's.
void ReadElements(std::string_view data, const Elements& elements, bool fortran_order,
                  Tensor& out) {
  const std::vector<int64_t>& shape = out.shape();
  size_t rank = shape.size();
  std::vector<int64_t> stride(rank);
  int64_t step = static_cast<int64_t>(elements.type->size);
  for (size_t i = 0; i < rank; ++i) {
    size_t axis = fortran_order ? i : rank - 1 - i;
    stride[axis] = step;
    step *= shape[axis];
  }
  std::vector<int64_t> position(rank, 0);
  char* to = static_cast<char*>(out.raw());
  int64_t count = out.num_elements();
  int64_t offset = 0;
  for (int64_t n = 0; n < count; ++n) {
    elements.type->read(&data[static_cast<size_t>(offset)], elements.swap, to);
    to += DTypeSize(out.dtype());
    for (size_t axis = rank; axis-- > 0;) {
      offset += stride[axis];
      if (++position[axis] < shape[axis]) break;
      offset -= stride[axis] * shape[axis];
      position[axis] = 0;
    }
  }
}

uint32_t LittleEndian(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i)
    value |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  return value;
}

std::string_view NpyCode(DType dtype) {
  switch (dtype) {
    case DType::kI1: return "|b1";
    case DType::kI32: return "<i4";
    case DType::kI64: return "<i8";
    case DType::kF32: return "<f4";
    case DType::kF64: return "<f8";
  }
  return "";
}

absl::Status InFile(std::string_view path, const absl::Status& status) {
  return absl::Status(status.code(), fmt::format("{}: {}", path, std::string(status.message())));
}

}  // namespace

absl::StatusOr<Tensor> ParseNpy(std::string_view bytes, std::string_view name) {
  NpyRefusal refuse(name);

  // 1. Magic, version, length of the header: two bytes in version 1, four later.
  if (!bytes.starts_with(kMagic)) {
    return refuse(fmt::format("not an npy file: it starts with `{}`, expected \\x93NUMPY",
                              NpyExcerpt(bytes.substr(0, 6))));
  }
  if (bytes.size() < 8)
    return refuse(fmt::format("truncated: {} bytes, expected a version", bytes.size()));
  int major = static_cast<uint8_t>(bytes[6]), minor = static_cast<uint8_t>(bytes[7]);
  if (major < 1 || major > 3 || minor != 0) {
    return refuse(
        fmt::format("npy version {}.{} is not supported, expected 1.0, 2.0 or 3.0", major, minor));
  }
  size_t length_bytes = major == 1 ? 2 : 4;
  size_t header_at = 8 + length_bytes;
  if (bytes.size() < header_at) {
    return refuse(
        fmt::format("truncated: {} bytes, expected the length of the header", bytes.size()));
  }
  size_t header_bytes = LittleEndian(bytes.substr(8, length_bytes));
  if (header_bytes > bytes.size() - header_at) {
    return refuse(fmt::format("truncated: the header has {} bytes, but only {} follow",
                              header_bytes, bytes.size() - header_at));
  }

  // 2. The header.
  absl::StatusOr<NpyHeader> header = ParseNpyHeader(bytes.substr(header_at, header_bytes), refuse);
  if (!header.ok()) return header.status();
  absl::StatusOr<Elements> elements = FindType(header->descr, refuse);
  if (!elements.ok()) return elements.status();

  // 3. The file's real length decides, before anything is allocated.
  absl::StatusOr<int64_t> tensor_bytes = CheckedDenseBytes(elements->type->dtype, header->shape);
  if (!tensor_bytes.ok()) return InFile(name, tensor_bytes.status());
  std::string_view data = bytes.substr(header_at + header_bytes);
  // No overflow: an element in a file is never larger than in memory.
  uint64_t expected = static_cast<uint64_t>(*tensor_bytes / DTypeSize(elements->type->dtype)) *
                      elements->type->size;
  if (data.size() != expected) {
    return refuse(fmt::format("{}: {} bytes follow the header, but {} of `{}` take {}",
                              data.size() < expected ? "truncated" : "trailing bytes", data.size(),
                              FormatShape(header->shape), header->descr, expected));
  }

  // 4. The elements.
  absl::StatusOr<Tensor> tensor = Tensor::Create(elements->type->dtype, std::move(header->shape));
  if (!tensor.ok()) return InFile(name, tensor.status());
  if (data.empty()) return tensor;
  bool row_major = !header->fortran_order || tensor->rank() < 2;
  if (row_major && elements->type->same_bytes && !elements->swap) {
    std::memcpy(tensor->raw(), data.data(), data.size());
  } else {
    ReadElements(data, *elements, header->fortran_order, *tensor);
  }
  return tensor;
}

absl::StatusOr<Tensor> ReadNpy(std::string_view path) {
  absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return bytes.status();
  return ParseNpy(*bytes, path);
}

absl::StatusOr<std::string> SerializeNpy(TensorView tensor) {
  static_assert(std::endian::native == std::endian::little,
                "elements are written as they lie in memory");
  absl::StatusOr<int64_t> data_bytes = CheckedDenseBytes(tensor.dtype, tensor.shape);
  if (!data_bytes.ok()) return data_bytes.status();
  if (*data_bytes > 0 && tensor.data == nullptr) {
    return absl::InvalidArgumentError(fmt::format("{} has no memory, expected {} bytes",
                                                  FormatType(tensor.dtype, tensor.shape),
                                                  *data_bytes));
  }
  if (tensor.shape.size() > kNpyMaxRank) {
    return absl::InvalidArgumentError(
        fmt::format("npy files have at most {} axes, got {}", kNpyMaxRank, tensor.shape.size()));
  }
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}",
                  NpyCode(tensor.dtype), fmt::join(tensor.shape.begin(), tensor.shape.end(), ", "),
                  tensor.shape.size() == 1 ? "," : "");
  // With spaces and a line end, so that the data starts at a multiple of 64. At most 64 axes: 16
  // bits are enough.
  size_t unpadded = kMagic.size() + 4 + header.size() + 1;
  header.append((64 - unpadded % 64) % 64, ' ');
  header += '\n';
  try {
    std::string out;
    out.reserve(kMagic.size() + 4 + header.size() + static_cast<size_t>(*data_bytes));
    out += kMagic;
    out += '\x01';
    out += '\0';
    out += static_cast<char>(header.size() & 255);
    out += static_cast<char>(header.size() >> 8);
    out += header;
    if (*data_bytes > 0)
      out.append(static_cast<const char*>(tensor.data), static_cast<size_t>(*data_bytes));
    return out;
  } catch (const std::exception&) {  // bad_alloc or length_error
    return absl::ResourceExhaustedError(fmt::format("out of memory: cannot write {} as npy",
                                                    FormatType(tensor.dtype, tensor.shape)));
  }
}

absl::Status WriteNpy(std::string_view path, TensorView tensor) {
  absl::StatusOr<std::string> bytes = SerializeNpy(tensor);
  if (!bytes.ok()) return InFile(path, bytes.status());
  return WriteFileAtomically(path, *bytes);
}

}  // namespace gradus::runtime
