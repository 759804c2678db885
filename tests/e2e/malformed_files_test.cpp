// Malformed safetensors, IDX, npy and CSV files, made by a seeded generator from what each format's
// specification says: a good file, of which one thing is then wrong. Every one is refused with a
// message that names the file; no allocation is larger than the file's real length explains.

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "fmt/format.h"
#include "frontend/data/csv.h"
#include "frontend/data/idx.h"
#include "frontend/data/philox.h"
#include "runtime/npy.h"
#include "runtime/safetensors.h"
#include "tests/unit/runtime/allocation_counter.h"

namespace gradus {
namespace {

using data::PhiloxStream;

struct Case {
  std::string what;
  std::string bytes;
};
using Cases = std::vector<Case>;

std::string RandomBytes(PhiloxStream& random, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += static_cast<char>(random.Below(256));
  return out;
}

std::string LittleEndian(uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 255);
  return out;
}
std::string BigEndian(uint64_t value, int bytes) {
  const std::string little = LittleEndian(value, bytes);
  return {little.rbegin(), little.rend()};
}

// Cut at several places, anywhere in the file.
void AddTruncations(PhiloxStream& random, const std::string& good, int count, Cases& cases) {
  for (int i = 0; i < count; ++i) {
    const auto length = static_cast<size_t>(random.Below(good.size()));
    cases.push_back(
        {fmt::format("cut to {} of {} bytes", length, good.size()), good.substr(0, length)});
  }
}

// --- safetensors --------------------------------------------------------------------------------

struct SafeTensor {
  std::string name, dtype = "F32", shape, extra;
  uint64_t begin = 0, end = 0;
};

std::string SafetensorsFile(const std::vector<SafeTensor>& tensors, const std::string& data,
                            const std::string& more = "") {
  std::string header = "{";
  for (const SafeTensor& t : tensors) {
    header += fmt::format("{}\"{}\":{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":[{},{}]{}}}",
                          header.size() > 1 ? "," : "", t.name, t.dtype, t.shape, t.begin, t.end,
                          t.extra);
  }
  header += more + "}";
  return LittleEndian(header.size(), 8) + header + data;
}

Cases SafetensorsCases(PhiloxStream& random) {
  Cases cases;
  for (int round = 0; round < 4; ++round) {
    const uint64_t rows = 1 + random.Below(6), columns = 1 + random.Below(6);
    const uint64_t a = 4 * rows * columns, b = 8 * rows;
    const std::vector<SafeTensor> good = {
        {"a", "F32", fmt::format("[{},{}]", rows, columns), "", 0, a},
        {"b", "I64", fmt::format("[{}]", rows), "", a, a + b}};
    const std::string data = RandomBytes(random, a + b);
    const std::string file = SafetensorsFile(good, data);
    EXPECT_TRUE(runtime::Safetensors::Parse(file).ok()) << "the good file";
    AddTruncations(random, file, 6, cases);
    const auto with = [&](std::string what, const std::function<void(std::vector<SafeTensor>&)>& f,
                          const std::string& more = "") {
      std::vector<SafeTensor> changed = good;
      f(changed);
      cases.push_back({std::move(what), SafetensorsFile(changed, data, more)});
    };
    const auto nothing = [](auto&) {};
    const uint64_t step = 1 + random.Below(3);
    with("overlap", [&](auto& t) { t[1].begin -= step, t[1].end -= step; });
    with("the same bytes twice", [&](auto& t) { t[1] = t[0], t[1].name = "b"; });
    with("hole between", [&](auto& t) { t[1].begin += step, t[1].end += step; });
    with("hole at the start", [&](auto& t) { t.erase(t.begin()); });
    with("trailing bytes", [&](auto& t) { t.pop_back(); });
    with("begin after end", [&](auto& t) { std::swap(t[0].begin, t[0].end); });
    with("bytes are not the shape's", [&](auto& t) { t[0].dtype = "F64"; });
    with("product wraps to 0", [&](auto& t) {
      t[0].shape = fmt::format("[{},{}]", uint64_t{1} << 62, 4 * rows), t[0].end = 0;
    });
    with("product wraps to the right size", [&](auto& t) {
      t[0].shape = fmt::format("[{},{},{}]", uint64_t{1} << 32, uint64_t{1} << 30, columns);
    });
    with("a size of 2^63", [&](auto& t) { t[0].shape = "[9223372036854775808]"; });
    with("a size of 2^64 + 1", [&](auto& t) { t[0].shape = "[18446744073709551617]"; });
    with("a huge size", [&](auto& t) { t[0].shape = "[1000000000000]"; });
    with("an offset of 2^63 - 1", [&](auto& t) { t[1].end = INT64_MAX; });
    with("an offset of 2^64 - 1", [&](auto& t) { t[1].end = UINT64_MAX; });
    with("a negative size", [&](auto& t) { t[0].shape = "[-1]"; });
    with("a fraction for a size", [&](auto& t) { t[0].shape = fmt::format("[{}.0]", rows); });
    with("an exponent in a size", [&](auto& t) { t[0].shape = fmt::format("[{}e0]", rows); });
    with("a text for a size", [&](auto& t) { t[0].shape = "[\"1\"]"; });
    with("an unknown type", [&](auto& t) { t[0].dtype = "F33"; });
    with("a key twice", [&](auto& t) { t[0].extra = ",\"dtype\":\"F32\""; });
    with("an unknown key", [&](auto& t) { t[0].extra = ",\"x\":1"; });
    with("a name twice", [&](auto& t) { t[1].name = "a"; });
    with("a name twice, escaped", [&](auto& t) { t[1].name = "\\u0061"; });
    with("metadata twice", nothing, ",\"__metadata__\":{},\"__metadata__\":{}");
    with("metadata that is no text", nothing, ",\"__metadata__\":{\"a\":1}");
    with("a name that is not UTF-8", [&](auto& t) { t[0].name = "\xc3("; });
    with("half a surrogate pair", [&](auto& t) { t[0].name = "\\ud83d"; });
    const auto depth = static_cast<size_t>(1000 + random.Below(200'000));
    with("deep lists", [&](auto& t) { t[0].shape = std::string(depth, '['); });
    std::string objects;
    for (size_t i = 0; i < depth / 8; ++i) objects += "{\"a\":";
    with("deep objects", nothing, ",\"c\":" + objects);
    for (const uint64_t length : {uint64_t{0}, file.size() - 7, uint64_t{100'000'001},
                                  uint64_t{1} << 63, UINT64_MAX, UINT64_MAX - 7}) {
      std::string changed = file;
      changed.replace(0, 8, LittleEndian(length, 8));
      cases.push_back({fmt::format("a header of {} bytes", length), changed});
    }
    std::string unclosed = file;
    unclosed[8] = '[';
    cases.push_back({"no object", unclosed});
  }
  return cases;
}

// --- npy ----------------------------------------------------------------------------------------

std::string NpyFile(const std::string& dict, const std::string& data, int version = 1) {
  return "\x93NUMPY" + std::string(1, static_cast<char>(version)) + std::string(1, '\0') +
         LittleEndian(dict.size(), version == 1 ? 2 : 4) + dict + data;
}

Cases NpyCases(PhiloxStream& random) {
  Cases cases;
  for (int round = 0; round < 4; ++round) {
    const uint64_t rows = 1 + random.Below(6), columns = 1 + random.Below(6);
    const auto dict = [&](const std::string& descr, const std::string& shape,
                          const std::string& more = "") {
      return fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, {}}}\n", descr,
                         shape, more);
    };
    const std::string shape = fmt::format("({}, {})", rows, columns);
    const std::string data = RandomBytes(random, 4 * rows * columns);
    const std::string file = NpyFile(dict("<f4", shape), data);
    EXPECT_TRUE(runtime::ParseNpy(file).ok()) << "the good file";
    AddTruncations(random, file, 6, cases);
    const auto add = [&](std::string what, const std::string& text, int version = 1) {
      cases.push_back({std::move(what), NpyFile(text, data, version)});
    };
    cases.push_back({"trailing bytes", file + RandomBytes(random, 1 + random.Below(9))});
    add("version 4", dict("<f4", shape), 4);
    add("version 0", dict("<f4", shape), 0);
    add("wider elements", dict("<f8", shape));
    add("narrower elements", dict("<i2", shape));
    add("Python objects", dict("|O", shape));
    add("an unknown type", dict("<q9", shape));
    add("no byte order", dict("|f4", shape));
    add("wraps to 0", dict("<f4", "(4611686018427387904, 4)"));
    add("wraps to 0 with an empty axis", dict("<f4", "(0, 4611686018427387904, 4)"));
    add("2^63", dict("<f4", "(9223372036854775808,)"));
    add("2^64 + 1", dict("<f4", "(18446744073709551617,)"));
    add("a huge size", dict("<f4", "(1000000000000,)"));
    add("a negative size", dict("<f4", "(-1,)"));
    add("a fraction", dict("<f4", "(1.0,)"));
    add("no tuple", dict("<f4", "1"));
    add("a key twice", dict("<f4", shape, "'descr': '<f4', "));
    add("an unknown key", dict("<f4", shape, "'x': 1, "));
    add("no shape", "{'descr': '<f4', 'fortran_order': False, }\n");
    add("deep tuples",
        dict("<f4", std::string(static_cast<size_t>(1000 + random.Below(60'000)), '(')), 2);
    std::string axes;
    for (int i = 0; i < 65; ++i) axes += "1,";
    add("65 axes", dict("<f4", "(" + axes + ")"));
    add("more than a dictionary", dict("<f4", shape) + "x");
    for (const uint64_t length :
         {uint64_t{0}, uint64_t{0xffff}, uint64_t{0x7fffffff}, uint64_t{0xffffffff}}) {
      std::string changed = NpyFile(dict("<f4", shape), data, 2);
      changed.replace(8, 4, LittleEndian(length, 4));
      cases.push_back({fmt::format("a header of {} bytes", length), changed});
    }
  }
  return cases;
}

// --- IDX ----------------------------------------------------------------------------------------

Cases IdxCases(PhiloxStream& random) {
  Cases cases;
  for (int round = 0; round < 4; ++round) {
    const uint64_t rows = 1 + random.Below(6), columns = 1 + random.Below(6);
    const auto header = [&](int type, const std::vector<uint64_t>& sizes) {
      std::string out =
          std::string(2, '\0') + static_cast<char>(type) + static_cast<char>(sizes.size());
      for (const uint64_t size : sizes) out += BigEndian(size, 4);
      return out;
    };
    const std::string data = RandomBytes(random, rows * columns);
    const std::string file = header(8, {rows, columns}) + data;
    EXPECT_TRUE(data::ParseIdx(file).ok()) << "the good file";
    AddTruncations(random, file, 6, cases);
    cases.push_back({"trailing bytes", file + RandomBytes(random, 1 + random.Below(9))});
    for (const int type : {0, 7, 10, 15, 255}) {
      cases.push_back({fmt::format("type {}", type), header(type, {rows, columns}) + data});
    }
    cases.push_back({"wider elements", header(14, {rows, columns}) + data});
    cases.push_back({"a huge axis", header(8, {0xffffffff}) + data});
    cases.push_back({"wraps to 0", header(14, {uint64_t{1} << 31, uint64_t{1} << 31, 2}) + data});
    cases.push_back({"wraps", header(14, {0xffffffff, 0xffffffff, 0xffffffff}) + data});
    cases.push_back(
        {"wraps with an empty axis", header(8, {0, 0xffffffff, 0xffffffff, 0xffffffff}) + data});
    cases.push_back({"255 axes", header(8, std::vector<uint64_t>(255, 1)) + data});
    std::string magic = file;
    magic[random.Below(2)] = static_cast<char>(1 + random.Below(255));
    cases.push_back({"no zero bytes", magic});
    std::string swapped = file;
    swapped.replace(4, 4, LittleEndian(rows, 4));
    cases.push_back({"little endian", swapped});
    cases.push_back({"gzip of nothing", "\x1f\x8b" + RandomBytes(random, 40)});
  }
  return cases;
}

// --- CSV ----------------------------------------------------------------------------------------

Cases CsvCases(PhiloxStream& random) {
  Cases cases;
  for (int round = 0; round < 4; ++round) {
    const auto number = [&] { return fmt::format("{:.3f}", random.Normal()); };
    const std::string row = fmt::format("{},{},{}\n", number(), number(), number());
    const std::string good = fmt::format("a,b,c\n{0}{0}{0}", row);
    EXPECT_TRUE(data::ParseCsv(good).ok()) << "the good file";
    const auto add = [&](std::string what, std::string text) {
      cases.push_back({std::move(what), std::move(text)});
    };
    add("nothing", "");
    add("a cell too many", good + "1,2,3,4\n");
    add("a cell too few", fmt::format("{}1,2\n{}", good, row));
    add("a row of commas", good + std::string(static_cast<size_t>(random.Below(100'000)) + 3, ','));
    add("an open quote", fmt::format("{}1,\"2,3\n{}", good, row));
    add("text after a quote", good + "1,\"2\"x,3\n");
    add("a quote at the end", good + "1,2,\"");
    add("a name twice", "a,b,a\n" + row);
    add("no number where one is asked for", good + "1,x,3\n");
    add("hexadecimal", good + "1,0x10,3\n");
    add("a number out of range", good + "1,1e999,3\n");
    add("an infinity", good + "1,inf,3\n");
    add("two numbers in a cell", good + "1,2 3,3\n");
    add("a zero byte", good + std::string("1,\0,3\n", 6));
  }
  return cases;
}

// --------------------------------------------------------------------------------------------------

using Parse = absl::Status (*)(const std::string& bytes);

void ExpectRefused(const Cases& cases, Parse parse, const char* format) {
  for (const Case& c : cases) {
    testing::largest_allocation = 0;
    const absl::Status status = parse(c.bytes);
    const size_t largest = testing::largest_allocation;
    ASSERT_FALSE(status.ok()) << format << ": " << c.what << ": not refused";
    EXPECT_TRUE(status.code() == absl::StatusCode::kInvalidArgument ||
                status.code() == absl::StatusCode::kOutOfRange)
        << format << ": " << c.what << ": " << status;
    EXPECT_EQ(std::string(status.message()).rfind("bad.file", 0), 0U)
        << format << ": " << c.what << ": the message does not begin with the file: " << status;
    EXPECT_LE(std::string(status.message()).size(), 600U) << format << ": " << c.what;
    EXPECT_LE(largest, 16 * c.bytes.size() + (size_t{1} << 18))
        << format << ": " << c.what << ": a large allocation for " << c.bytes.size() << " bytes";
  }
  fmt::print("{}: {} malformed files refused\n", format, cases.size());
}

TEST(MalformedFiles, Safetensors) {
  PhiloxStream random(1);
  ExpectRefused(
      SafetensorsCases(random),
      [](const std::string& b) { return runtime::Safetensors::Parse(b, "bad.file").status(); },
      "safetensors");
}

TEST(MalformedFiles, Npy) {
  PhiloxStream random(2);
  ExpectRefused(
      NpyCases(random),
      [](const std::string& b) { return runtime::ParseNpy(b, "bad.file").status(); }, "npy");
}

TEST(MalformedFiles, Idx) {
  PhiloxStream random(3);
  ExpectRefused(
      IdxCases(random),
      [](const std::string& b) { return data::ParseIdx(b, {}, "bad.file").status(); }, "IDX");
}

TEST(MalformedFiles, Csv) {
  PhiloxStream random(4);
  ExpectRefused(
      CsvCases(random),
      [](const std::string& b) {
        return data::ParseCsv(b, {.non_numeric = data::NonNumeric::kError}, "bad.file").status();
      },
      "CSV");
}

// Bytes changed at random: whatever is made of them, nothing is read or written out of bounds (the
// sanitizers look), and no allocation is large.
TEST(MalformedFiles, AnyBytesChanged) {
  PhiloxStream random(5);
  const runtime::Tensor a = runtime::Tensor::FromVector<float>({3, 2}, {1, 2, 3, 4, 5, 6}).value();
  const std::vector<runtime::NamedTensorView> tensors = {{"a", a}, {"b", a}};
  const std::string safetensors = runtime::SerializeSafetensors(tensors, {{"k", "v"}}).value();
  const std::string npy = runtime::SerializeNpy(a).value();
  const std::string idx = std::string("\0\0\x08\x02\0\0\0\2\0\0\0\2abcd", 16);
  const std::string csv = "a,b\n1,2\n\"3\",4\n";
  const std::pair<const std::string*, Parse> readers[] = {
      {&safetensors,
       [](const std::string& b) {
         const auto file = runtime::Safetensors::Parse(b);
         if (file.ok()) {
           for (const auto& t : file->tensors()) (void)file->Load(t.name).ok();
         }
         return file.status();
       }},
      {&npy, [](const std::string& b) { return runtime::ParseNpy(b).status(); }},
      {&idx, [](const std::string& b) { return data::ParseIdx(b).status(); }},
      {&csv, [](const std::string& b) { return data::ParseCsv(b).status(); }}};
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto& [good, parse] = readers[i % 4];
    std::string bytes = *good;
    for (uint64_t changes = 1 + random.Below(3); changes > 0; --changes) {
      bytes[static_cast<size_t>(random.Below(bytes.size()))] = static_cast<char>(random.Below(256));
    }
    testing::largest_allocation = 0;
    refused += parse(bytes).ok() ? 0 : 1;
    ASSERT_LE(testing::largest_allocation, size_t{1} << 18) << i;
  }
  EXPECT_GT(refused, 5000);
}

}  // namespace
}  // namespace gradus
