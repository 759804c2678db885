#include "runtime/npy.h"

#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/files.h"

namespace gradus::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// The bytes of a file with this header text (not padded: readers must not rely on that).
std::string File(std::string_view header, std::string_view data, int version = 1) {
  std::string out = "\x93NUMPY";
  out += static_cast<char>(version);
  out += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) {
    out += static_cast<char>(header.size() >> (8 * i) & 255);
  }
  return out.append(header).append(data);
}

std::string Dict(std::string_view descr, std::string_view shape, bool fortran_order = false) {
  std::string out = "{'descr': '";
  out.append(descr).append("', 'fortran_order': ").append(fortran_order ? "True" : "False");
  return out.append(", 'shape': ").append(shape).append(", }\n");
}

std::string Bytes(std::initializer_list<int> bytes) {
  std::string out;
  for (int b : bytes) out += static_cast<char>(b);
  return out;
}

Tensor Parsed(std::string_view bytes) {
  absl::StatusOr<Tensor> tensor = ParseNpy(bytes);
  EXPECT_TRUE(tensor.ok()) << tensor.status();
  return tensor.ok() ? *std::move(tensor) : Tensor();
}

// What numpy 1.24 writes for np.arange(6, dtype='<f4').reshape(2, 3).
std::string NumpyFile() {
  std::string out = Bytes({0x93}) + "NUMPY" + Bytes({1, 0, 'v', 0}) +
                    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  out += std::string(58, ' ') + "\n";
  return out + Bytes({0, 0, 0,    0,    0, 0, 0x80, 0x3f, 0, 0, 0,    0x40,  //
                      0, 0, 0x40, 0x40, 0, 0, 0x80, 0x40, 0, 0, 0xa0, 0x40});
}

TEST(NpyTest, ReadsAndWritesWhatNumpyWrites) {
  Tensor tensor = Parsed(NumpyFile());
  EXPECT_THAT(tensor.shape(), ElementsAre(2, 3));
  EXPECT_THAT(tensor.data<float>(), ElementsAre(0, 1, 2, 3, 4, 5));
  absl::StatusOr<std::string> bytes = SerializeNpy(tensor);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(*bytes, NumpyFile());
}

TEST(NpyTest, FortranOrderBecomesRowMajor) {
  std::string data = NumpyFile().substr(128);
  Tensor matrix = Parsed(File(Dict("<f4", "(2, 3)", true), data));
  EXPECT_THAT(matrix.data<float>(), ElementsAre(0, 2, 4, 1, 3, 5));
  Tensor vector = Parsed(File(Dict("<f4", "(6,)", true), data));
  EXPECT_THAT(vector.data<float>(), ElementsAre(0, 1, 2, 3, 4, 5));
  // Element [i, j, k] of a 2x2x2 array lies at i + 2 j + 4 k.
  Tensor cube = Parsed(File(Dict("|i1", "(2, 2, 2)", true), Bytes({0, 1, 2, 3, 4, 5, 6, 7})));
  EXPECT_THAT(cube.data<int32_t>(), ElementsAre(0, 4, 2, 6, 1, 5, 3, 7));
}

TEST(NpyTest, BothByteOrders) {
  EXPECT_THAT(
      Parsed(File(Dict(">i4", "(2,)"), Bytes({0, 0, 1, 2, 255, 255, 255, 254}))).data<int32_t>(),
      ElementsAre(258, -2));
  EXPECT_THAT(
      Parsed(File(Dict("<i4", "(2,)"), Bytes({2, 1, 0, 0, 254, 255, 255, 255}))).data<int32_t>(),
      ElementsAre(258, -2));
  EXPECT_THAT(Parsed(File(Dict("=i4", "(1,)"), Bytes({2, 1, 0, 0}))).data<int32_t>(),
              ElementsAre(258));
  EXPECT_THAT(Parsed(File(Dict(">i8", "(1,)"), Bytes({0, 0, 0, 1, 0, 0, 0, 2}))).data<int64_t>(),
              ElementsAre((int64_t{1} << 32) + 2));
  EXPECT_THAT(Parsed(File(Dict(">f4", "(1,)"), Bytes({0x3f, 0x80, 0, 0}))).data<float>(),
              ElementsAre(1.0f));
  EXPECT_THAT(
      Parsed(File(Dict(">f8", "(1,)"), Bytes({0xc0, 0x0c, 0, 0, 0, 0, 0, 0}))).data<double>(),
      ElementsAre(-3.5));
  Tensor both = Parsed(File(Dict(">i2", "(2, 2)", true), Bytes({0, 1, 0, 2, 0, 3, 255, 255})));
  EXPECT_THAT(both.data<int32_t>(), ElementsAre(1, 3, 2, -1));
}

TEST(NpyTest, NarrowTypesAreReadExactly) {
  EXPECT_THAT(Parsed(File(Dict("|u1", "(2,)"), Bytes({200, 7}))).data<int32_t>(),
              ElementsAre(200, 7));
  EXPECT_THAT(Parsed(File(Dict("|i1", "(2,)"), Bytes({200, 7}))).data<int32_t>(),
              ElementsAre(-56, 7));
  EXPECT_THAT(Parsed(File(Dict("<u2", "(1,)"), Bytes({255, 255}))).data<int32_t>(),
              ElementsAre(65535));
  EXPECT_THAT(Parsed(File(Dict("<u4", "(1,)"), Bytes({255, 255, 255, 255}))).data<int64_t>(),
              ElementsAre(4294967295));
  // 1, the largest, the smallest subnormal, -0, infinity, NaN.
  Tensor halves = Parsed(
      File(Dict("<f2", "(6,)"), Bytes({0, 0x3c, 0xff, 0x7b, 1, 0, 0, 0x80, 0, 0x7c, 0, 0x7e})));
  std::span<float> h = halves.data<float>();
  EXPECT_EQ(h[0], 1.0f);
  EXPECT_EQ(h[1], 65504.0f);
  EXPECT_EQ(h[2], 0x1p-24f);
  EXPECT_TRUE(h[3] == 0 && std::signbit(h[3]));
  EXPECT_EQ(h[4], std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(h[5]));
}

TEST(NpyTest, TruthsAreZeroOrOne) {
  EXPECT_THAT(Parsed(File(Dict("|b1", "(4,)"), Bytes({0, 1, 2, 255}))).data<uint8_t>(),
              ElementsAre(0, 1, 1, 1));
  EXPECT_THAT(Parsed(File(Dict("?", "(1,)"), Bytes({1}))).data<bool>(), ElementsAre(true));
}

TEST(NpyTest, ScalarsAndEmptyArrays) {
  EXPECT_THAT(Parsed(File(Dict("<i4", "()"), Bytes({5, 0, 0, 0}))).shape(), ElementsAre());
  EXPECT_THAT(Parsed(File(Dict("<i4", "(0,)"), "")).shape(), ElementsAre(0));
  EXPECT_THAT(Parsed(File(Dict(">f8", "(3, 0, 2)", true), "")).shape(), ElementsAre(3, 0, 2));
}

TEST(NpyTest, HeadersInAnySpellingOfPython) {
  for (int version : {1, 2, 3}) {
    Tensor tensor = Parsed(File(Dict("<i4", "(1,)"), Bytes({9, 0, 0, 0}), version));
    EXPECT_THAT(tensor.data<int32_t>(), ElementsAre(9));
  }
  for (std::string_view header :
       {"{\"shape\":(1,),\"descr\":\"<i4\",\"fortran_order\":False}",
        " { 'shape' : ( 1 , ) , 'fortran_order' : False , 'descr' : '<i4' , } \n",
        "{'descr':'<i4','fortran_order':False,'shape':(1L,)}"}) {
    EXPECT_THAT(Parsed(File(header, Bytes({9, 0, 0, 0}))).data<int32_t>(), ElementsAre(9))
        << header;
  }
}

TEST(NpyTest, RoundTripsEveryType) {
  std::vector<Tensor> tensors;
  tensors.push_back(*Tensor::FromVector<bool>({2, 2}, {true, false, false, true}));
  tensors.push_back(*Tensor::FromVector<int32_t>({3}, {INT32_MIN, 0, INT32_MAX}));
  tensors.push_back(*Tensor::FromVector<int64_t>({1, 2}, {INT64_MIN, INT64_MAX}));
  tensors.push_back(*Tensor::FromVector<float>({}, {1e-45f}));
  tensors.push_back(*Tensor::FromVector<double>({1, 1, 1}, {-0.0}));
  tensors.push_back(*Tensor::Zeros(DType::kF32, {5, 0}));
  for (const Tensor& tensor : tensors) {
    absl::StatusOr<std::string> bytes = SerializeNpy(tensor);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_EQ((bytes->size() - static_cast<size_t>(tensor.byte_size())) % 64, 0u);
    Tensor back = Parsed(*bytes);
    EXPECT_EQ(back.dtype(), tensor.dtype());
    EXPECT_EQ(back.shape(), tensor.shape());
    ASSERT_EQ(back.byte_size(), tensor.byte_size());
    if (tensor.byte_size() > 0) {
      EXPECT_EQ(std::memcmp(back.raw(), tensor.raw(), static_cast<size_t>(tensor.byte_size())), 0);
    }
  }
}

TEST(NpyTest, FilesAreNamedInErrors) {
  std::string path = ::testing::TempDir() + "/gradus_npy_" + std::to_string(getpid()) + ".npy";
  ASSERT_TRUE(WriteNpy(path, *Tensor::FromVector<float>({2}, {1, 2})).ok());
  absl::StatusOr<Tensor> read = ReadNpy(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->data<float>(), ElementsAre(1, 2));
  ASSERT_TRUE(WriteFileAtomically(path, "hello, world").ok());
  EXPECT_EQ(Message(ReadNpy(path).status()),
            path + ": not an npy file: it starts with `hello,`, expected \\x93NUMPY");
  unlink(path.c_str());
  EXPECT_EQ(ReadNpy(path).status().code(), absl::StatusCode::kNotFound);
}

TEST(NpyTest, WritingWhatIsNoTensorIsRefused) {
  std::vector<int64_t> shape = {2};
  EXPECT_EQ(Message(SerializeNpy(TensorView(nullptr, DType::kF32, shape)).status()),
            "f32[2] has no memory, expected 8 bytes");
  std::vector<int64_t> negative = {-2};
  EXPECT_FALSE(SerializeNpy(TensorView(nullptr, DType::kF32, negative)).ok());
  std::vector<int64_t> deep(65, 1);
  float value = 0;
  EXPECT_FALSE(SerializeNpy(TensorView(&value, DType::kF32, deep)).ok());
  deep.pop_back();
  absl::StatusOr<std::string> deepest = SerializeNpy(TensorView(&value, DType::kF32, deep));
  ASSERT_TRUE(deepest.ok());
  EXPECT_EQ(Parsed(*deepest).rank(), 64);
}

// Every one of these is refused with a message that says what is wrong.
TEST(NpyTest, MalformedFiles) {
  struct Case {
    std::string bytes, message;
  };
  std::string good_data = Bytes({1, 0, 0, 0});
  std::string many_axes = "(";
  for (int i = 0; i < 65; ++i) many_axes += "1, ";
  many_axes += ")";
  std::vector<Case> cases = {
      // The frame.
      {"", "not an npy file"},
      {"\x93NUMP", "not an npy file"},
      {std::string("PK\3\4 a zip file"), "not an npy file: it starts with `PK?? a`"},
      {"\x93NUMPY", "truncated: 6 bytes, expected a version"},
      {"\x93NUMPY" + Bytes({1}), "truncated: 7 bytes, expected a version"},
      {"\x93NUMPY" + Bytes({0, 0, 0, 0}), "npy version 0.0 is not supported"},
      {"\x93NUMPY" + Bytes({4, 0, 0, 0}), "npy version 4.0 is not supported"},
      {"\x93NUMPY" + Bytes({1, 1, 0, 0}), "npy version 1.1 is not supported"},
      {"\x93NUMPY" + Bytes({1, 0, 5}), "truncated: 9 bytes, expected the length of the header"},
      {"\x93NUMPY" + Bytes({2, 0, 5, 0, 0}), "truncated: 11 bytes, expected the length"},
      {"\x93NUMPY" + Bytes({1, 0, 9, 0}) + "{}", "the header has 9 bytes, but only 2 follow"},
      {"\x93NUMPY" + Bytes({2, 0, 255, 255, 255, 255}) + "{}",
       "the header has 4294967295 bytes, but only 2 follow"},
      // The dictionary.
      {File("", ""), "expected `{`"},
      {File("[]", ""), "expected `{`"},
      {File("{", ""), "expected a key in quotes or `}`"},
      {File("{descr: '<f4'}", ""), "expected a key in quotes"},
      {File("{'descr' '<f4'}", ""), "expected `:`"},
      {File("{'descr': '<f4}", ""), "expected a dtype in quotes"},
      {File("{'descr': '<\\x664'}", ""), "expected a dtype in quotes"},
      {File("{'descr': '<f4' 'shape': ()}", ""), "expected `,` or `}`"},
      {File("{'descr': '<f4', 'descr': '<f4'}", ""), "`descr` stands twice"},
      {File("{'shape': (), 'shape': ()}", ""), "`shape` stands twice"},
      {File("{'fortran_order': False, 'fortran_order': True}", ""), "stands twice"},
      {File("{'fortran_order': 0}", ""), "expected True or False"},
      {File("{'extra': 1}", ""), "unknown key `extra`"},
      {File("{'fortran_order': False, 'shape': ()}", ""), "the header has no `descr`"},
      {File("{'descr': '<f4', 'shape': ()}", ""), "the header has no `fortran_order`"},
      {File("{'descr': '<f4', 'fortran_order': False}", ""), "the header has no `shape`"},
      {File(Dict("<i4", "(1,)") + "x", good_data), "expected nothing but spaces after `}`"},
      {File(Dict("<i4", "(1,)") + Bytes({0}), good_data), "expected nothing but spaces"},
      // The shape.
      {File(Dict("<i4", "1"), good_data), "expected a shape in parentheses"},
      {File(Dict("<i4", "(1)"), good_data), "one size in parentheses is no tuple"},
      {File(Dict("<i4", "(,)"), good_data), "expected a size"},
      {File(Dict("<i4", "(1,,1)"), good_data), "expected a size"},
      {File(Dict("<i4", "(1 1)"), good_data), "expected `,` or `)`"},
      {File(Dict("<i4", "(-1,)"), good_data), "expected a size of 0 or more"},
      {File(Dict("<i4", "(1.5,)"), good_data), "expected `,` or `)`"},
      {File(Dict("<i4", "((1,),)"), good_data), "expected a size"},
      {File(Dict("<i4", "(9223372036854775808,)"), good_data), "expected a size below 2^63"},
      {File(Dict("<i4", "(99999999999999999999999,)"), good_data), "expected a size below 2^63"},
      {File(Dict("<i4", many_axes), good_data), "expected at most 64 axes"},
      {File("{'descr': '<i4', 'fortran_order': False, 'shape': (1,", ""), "expected a size"},
      // Sizes against the file's length.
      {File(Dict("<i4", "(9223372036854775807,)"), good_data), "is too large"},
      {File(Dict("<i4", "(4294967296, 4294967296)"), good_data), "is too large"},
      {File(Dict("<i4", "(4294967296, 4294967296, 0)"), ""), "is too large"},
      {File(Dict("|u1", "(4611686018427387904,)"), good_data), "is too large"},
      {File(Dict("<i4", "(1000000000000,)"), good_data), "truncated: 4 bytes follow the header"},
      {File(Dict("<i4", "(2,)"), good_data),
       "truncated: 4 bytes follow the header, but [2] of `<i4` take 8"},
      {File(Dict("<i4", "(1,)"), Bytes({1, 0, 0})), "truncated: 3 bytes follow"},
      {File(Dict("<i4", "(1,)"), Bytes({1, 0, 0, 0, 0})), "trailing bytes: 5 bytes follow"},
      {File(Dict("<i4", "(0,)"), good_data), "trailing bytes: 4 bytes follow"},
      {File(Dict("<i4", "()"), ""), "truncated: 0 bytes follow the header"},
      // Types.
      {File(Dict("|O", "(1,)"), good_data), "dtype `|O` (Python objects) is not supported"},
      {File(Dict("O", "(1,)"), good_data), "dtype `O` (Python objects) is not supported"},
      {File("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", good_data),
       "a structured dtype is not supported"},
      {File(Dict("<c8", "(1,)"), good_data), "(complex numbers) is not supported"},
      {File(Dict("<U1", "(1,)"), good_data), "(strings) is not supported"},
      {File(Dict("|S4", "(1,)"), good_data), "(strings) is not supported"},
      {File(Dict("<M8[ns]", "(1,)"), good_data), "(dates) is not supported"},
      {File(Dict("|V4", "(1,)"), good_data), "(raw bytes) is not supported"},
      {File(Dict("<u8", "(1,)"), good_data), "dtype `<u8` is not supported, expected one of b1"},
      {File(Dict("<f16", "(1,)"), good_data), "dtype `<f16` is not supported"},
      {File(Dict("<i3", "(1,)"), good_data), "dtype `<i3` is not supported"},
      {File(Dict("", "(1,)"), good_data), "dtype `` is not supported"},
      {File(Dict("<", "(1,)"), good_data), "dtype `<` is not supported"},
      {File(Dict("|i4", "(1,)"), good_data), "dtype `|i4` has no byte order, expected `<i4`"},
  };
  EXPECT_GE(cases.size(), 25u);
  for (const Case& c : cases) {
    absl::Status status = ParseNpy(c.bytes, "bad.npy").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.message;
    EXPECT_THAT(Message(status), testing::StartsWith("bad.npy: "));
    EXPECT_THAT(Message(status), HasSubstr(c.message));
  }
}

// No prefix of a file and no file with one byte changed may be read beyond its end (the sanitizers
// watch), and a prefix is never accepted.
TEST(NpyTest, DamagedFiles) {
  std::string good = File(Dict("<i2", "(2, 3)", true), std::string(12, '\1'));
  ASSERT_TRUE(ParseNpy(good).ok());
  for (size_t length = 0; length < good.size(); ++length) {
    std::string cut(good.data(), length);  // exact memory, so that reading on is seen
    EXPECT_FALSE(ParseNpy(cut).ok()) << length;
  }
  size_t accepted = 0;
  for (size_t at = 0; at < good.size(); ++at) {
    for (int flip = 1; flip < 256; ++flip) {
      std::string damaged = good;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      accepted += ParseNpy(damaged).ok();
    }
  }
  EXPECT_GE(accepted, 12u * 255) << "a change of the data is no damage";
}

}  // namespace
}  // namespace gradus::runtime
