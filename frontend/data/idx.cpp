#include "frontend/data/idx.h"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "frontend/data/gzip.h"
#include "runtime/files.h"

namespace gradus::data {
namespace {

using runtime::DType;

// deflate makes at most this much of a byte (zlib.net/zlib_tech.html).
constexpr int64_t kMaxDeflateRatio = 1032;
constexpr size_t kMaxAxes = 8;
constexpr size_t kMaxHeader = 4 + 4 * kMaxAxes;

struct ElementType {
  uint8_t code;
  int64_t size;
  DType dtype;  // where the options name none
  std::string_view name;
};
constexpr ElementType kTypes[] = {
    {8, 1, DType::kI32, "u8"},   {9, 1, DType::kI32, "i8"},   {11, 2, DType::kI32, "i16"},
    {12, 4, DType::kI32, "i32"}, {13, 4, DType::kF32, "f32"}, {14, 8, DType::kF64, "f64"},
};

bool IsFloat(DType dtype) { return dtype == DType::kF32 || dtype == DType::kF64; }

uint64_t BigEndian(const char* bytes, int64_t size) {
  uint64_t value = 0;
  for (int64_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

double ElementAt(const char* bytes, const ElementType& type) {
  const uint64_t bits = BigEndian(bytes, type.size);
  switch (type.code) {
    case 8: return static_cast<double>(bits);
    case 9: return static_cast<int8_t>(bits);
    case 11: return static_cast<int16_t>(bits);
    case 12: return static_cast<int32_t>(bits);
    case 13: return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    default: return std::bit_cast<double>(bits);
  }
}

struct Header {
  const ElementType* type = nullptr;
  std::vector<int64_t> shape;
  size_t bytes = 0;        // of the header
  int64_t data_bytes = 0;  // that its sizes ask for
};

absl::Status Refuse(std::string_view name, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("{}: {}", name, what));
}

absl::StatusOr<Header> ParseHeader(std::string_view bytes, std::string_view name) {
  if (bytes.size() < 4) {
    return Refuse(name, fmt::format("truncated: {} bytes, expected an IDX header", bytes.size()));
  }
  if (bytes[0] != 0 || bytes[1] != 0) {
    return Refuse(name,
                  fmt::format("not an IDX file: it starts with {:02x} {:02x}, expected 00 00",
                              static_cast<uint8_t>(bytes[0]), static_cast<uint8_t>(bytes[1])));
  }
  Header header;
  const auto code = static_cast<uint8_t>(bytes[2]);
  for (const ElementType& t : kTypes) {
    if (t.code == code) header.type = &t;
  }
  if (header.type == nullptr) {
    return Refuse(name,
                  fmt::format("byte 2: element type {} is not known, expected 8 (u8), 9 (i8), "
                              "11 (i16), 12 (i32), 13 (f32) or 14 (f64)",
                              code));
  }
  const auto axes = static_cast<uint8_t>(bytes[3]);
  if (axes > kMaxAxes) {
    return Refuse(name, fmt::format("byte 3: {} axes, expected at most {}", axes, kMaxAxes));
  }
  header.bytes = 4 + size_t{4} * axes;
  if (bytes.size() < header.bytes) {
    return Refuse(name, fmt::format("truncated: {} bytes, but a header of {} axes has {}",
                                    bytes.size(), axes, header.bytes));
  }
  header.data_bytes = header.type->size;
  bool empty = false, overflow = false;
  for (size_t axis = 0; axis < axes; ++axis) {
    const auto size = static_cast<int64_t>(BigEndian(bytes.data() + 4 + 4 * axis, 4));
    header.shape.push_back(size);
    empty = empty || size == 0;
    overflow = overflow ||
               (size != 0 && __builtin_mul_overflow(header.data_bytes, size, &header.data_bytes));
  }
  if (overflow) {
    return Refuse(name, fmt::format("the sizes {} have more elements than there are",
                                    runtime::FormatShape(header.shape)));
  }
  if (empty) header.data_bytes = 0;
  return header;
}

absl::Status WrongLength(const Header& header, uint64_t got, std::string_view name) {
  const bool less = got < static_cast<uint64_t>(header.data_bytes);
  return Refuse(
      name, fmt::format("{}: {} bytes follow the header, but {} of {} take {}",
                        less ? "truncated" : "trailing bytes", got,
                        runtime::FormatShape(header.shape), header.type->name, header.data_bytes));
}

template <typename T>
void Convert(std::string_view data, const ElementType& type, double scale, runtime::Tensor& out) {
  const char* from = data.data();
  for (T& to : out.data<T>()) {
    to = static_cast<T>(ElementAt(from, type) * scale);
    from += type.size;
  }
}

absl::StatusOr<runtime::Tensor> Decode(std::string_view bytes, const IdxOptions& options,
                                       std::string_view name) {
  absl::StatusOr<Header> header = ParseHeader(bytes, name);
  if (!header.ok()) return header.status();
  const std::string_view data = bytes.substr(header->bytes);
  if (data.size() != static_cast<uint64_t>(header->data_bytes)) {
    return WrongLength(*header, data.size(), name);
  }
  const DType dtype = options.dtype.value_or(
      options.scale == 1 || IsFloat(header->type->dtype) ? header->type->dtype : DType::kF32);
  if (!IsFloat(dtype) &&
      (IsFloat(header->type->dtype) || options.scale != 1 || dtype == DType::kI1)) {
    return Refuse(name, fmt::format("{} times {} do not go into {}", header->type->name,
                                    options.scale, runtime::DTypeName(dtype)));
  }
  absl::StatusOr<runtime::Tensor> tensor = runtime::Tensor::Create(dtype, std::move(header->shape));
  if (!tensor.ok()) {
    return absl::Status(tensor.status().code(),
                        fmt::format("{}: {}", name, std::string(tensor.status().message())));
  }
  switch (dtype) {
    case DType::kF32: Convert<float>(data, *header->type, options.scale, *tensor); break;
    case DType::kF64: Convert<double>(data, *header->type, options.scale, *tensor); break;
    case DType::kI32: Convert<int32_t>(data, *header->type, 1, *tensor); break;
    default: Convert<int64_t>(data, *header->type, 1, *tensor); break;
  }
  return tensor;
}

}  // namespace

absl::StatusOr<runtime::Tensor> ParseIdx(std::string_view bytes, const IdxOptions& options,
                                         std::string_view name) {
  if (!IsGzip(bytes)) return Decode(bytes, options, name);
  // The header first, so that what it claims limits what is decompressed.
  absl::StatusOr<Gunzipped> start = Gunzip(bytes, kMaxHeader, name);
  if (!start.ok()) return start.status();
  absl::StatusOr<Header> header = ParseHeader(start->bytes, name);
  if (!header.ok()) return header.status();
  const auto compressed = static_cast<int64_t>(bytes.size());
  if (header->data_bytes / kMaxDeflateRatio > compressed) {
    return Refuse(name, fmt::format("{} of {} take {} bytes, more than {} bytes of gzip can hold",
                                    runtime::FormatShape(header->shape), header->type->name,
                                    header->data_bytes, compressed));
  }
  const int64_t expected = header->data_bytes + static_cast<int64_t>(header->bytes);
  absl::StatusOr<Gunzipped> whole = Gunzip(bytes, expected + 1, name);
  if (!whole.ok()) return whole.status();
  return Decode(whole->bytes, options, name);
}

absl::StatusOr<runtime::Tensor> ReadIdx(std::string_view path, const IdxOptions& options) {
  absl::StatusOr<std::string> bytes = runtime::ReadFile(path);
  if (!bytes.ok()) return bytes.status();
  return ParseIdx(*bytes, options, path);
}

}  // namespace gradus::data
