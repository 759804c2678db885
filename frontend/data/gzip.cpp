#include "frontend/data/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <memory>

#include "fmt/format.h"
#include "runtime/files.h"

namespace gradus::data {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;  // zlib's code for "a gzip header and nothing else"

struct InflateEnd {
  void operator()(z_stream* stream) const { inflateEnd(stream); }
};

uInt Portion(size_t bytes) {
  return static_cast<uInt>(std::min<size_t>(bytes, std::numeric_limits<uInt>::max()));
}

}  // namespace

bool IsGzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

absl::StatusOr<Gunzipped> Gunzip(std::string_view bytes, int64_t max_bytes, std::string_view name) {
  const auto refuse = [&](std::string_view what) {
    return absl::InvalidArgumentError(fmt::format("{}: gzip: {}", name, what));
  };
  z_stream stream{};
  if (inflateInit2(&stream, kGzipOnly) != Z_OK) {
    return absl::ResourceExhaustedError(fmt::format("{}: gzip: out of memory", name));
  }
  const std::unique_ptr<z_stream, InflateEnd> owner(&stream);
  const auto limit = static_cast<size_t>(std::max<int64_t>(max_bytes, 0));
  constexpr size_t kChunk = size_t{1} << 16;
  Gunzipped result;
  size_t used_in = 0, used_out = 0;
  try {
    while (!result.complete && used_out < limit) {
      if (used_out == result.bytes.size()) {
        result.bytes.resize(std::min(limit, std::max(kChunk, 2 * used_out)));
      }
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + used_in));
      stream.avail_in = Portion(bytes.size() - used_in);
      stream.next_out = reinterpret_cast<Bytef*>(result.bytes.data() + used_out);
      stream.avail_out = Portion(result.bytes.size() - used_out);
      const uInt had_in = stream.avail_in, had_out = stream.avail_out;
      const int code = inflate(&stream, Z_NO_FLUSH);
      used_in += had_in - stream.avail_in;
      used_out += had_out - stream.avail_out;
      if (code == Z_STREAM_END) {
        result.complete = true;
      } else if (code == Z_BUF_ERROR ||
                 (code == Z_OK && used_in == bytes.size() && stream.avail_out > 0)) {
        return refuse(fmt::format("truncated after {} bytes", bytes.size()));
      } else if (code != Z_OK) {
        return refuse(fmt::format("damaged at byte {}: {}", used_in,
                                  stream.msg != nullptr ? stream.msg : "no such stream"));
      }
    }
    result.bytes.resize(used_out);
  } catch (const std::exception&) {  // bad_alloc
    return absl::ResourceExhaustedError(fmt::format("{}: gzip: out of memory", name));
  }
  if (result.complete && used_in != bytes.size()) {
    return refuse(fmt::format("{} trailing bytes at byte {}", bytes.size() - used_in, used_in));
  }
  return result;
}

absl::StatusOr<std::string> ReadFileOrGzip(std::string_view path, int64_t max_bytes) {
  absl::StatusOr<std::string> bytes = runtime::ReadFile(path, max_bytes);
  if (!bytes.ok() || !IsGzip(*bytes)) return bytes;
  const int64_t one_more = max_bytes < INT64_MAX ? max_bytes + 1 : max_bytes;
  absl::StatusOr<Gunzipped> plain = Gunzip(*bytes, one_more, path);
  if (!plain.ok()) return plain.status();
  if (!plain->complete || plain->bytes.size() > static_cast<size_t>(max_bytes)) {
    return absl::ResourceExhaustedError(fmt::format(
        "`{}` is larger than the limit of {} bytes when decompressed", path, max_bytes));
  }
  return std::move(plain->bytes);
}

}  // namespace gradus::data
