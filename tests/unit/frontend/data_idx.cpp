#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>

#include "frontend/data/array.h"
#include "frontend/data/csv.h"
#include "frontend/data/gzip.h"
#include "frontend/data/idx.h"
#include "runtime/files.h"
#include "runtime/npy.h"

namespace gradus::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

std::string Bytes(std::initializer_list<int> bytes) {
  std::string out;
  for (int b : bytes) out += static_cast<char>(b);
  return out;
}

std::string Zip(const std::string& plain) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, static_cast<uLong>(plain.size())) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

const std::string kTwoByTwo = Bytes({0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 128, 255});

TEST(Idx, ReadsEveryType) {
  const auto u8 = ParseIdx(kTwoByTwo);
  ASSERT_TRUE(u8.ok()) << u8.status();
  EXPECT_THAT(u8->shape(), ElementsAre(2, 2));
  EXPECT_THAT(u8->data<int32_t>(), ElementsAre(0, 1, 128, 255));
  EXPECT_THAT(ParseIdx(Bytes({0, 0, 9, 1, 0, 0, 0, 2, 255, 1}))->data<int32_t>(),
              ElementsAre(-1, 1));
  EXPECT_THAT(ParseIdx(Bytes({0, 0, 11, 1, 0, 0, 0, 1, 255, 254}))->data<int32_t>(),
              ElementsAre(-2));
  EXPECT_THAT(ParseIdx(Bytes({0, 0, 12, 1, 0, 0, 0, 1, 0, 1, 0, 0}))->data<int32_t>(),
              ElementsAre(65536));
  EXPECT_THAT(ParseIdx(Bytes({0, 0, 13, 1, 0, 0, 0, 1, 0xc0, 0, 0, 0}))->data<float>(),
              ElementsAre(-2));
  EXPECT_THAT(ParseIdx(Bytes({0, 0, 14, 0, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0}))->data<double>(),
              ElementsAre(1.5));
  EXPECT_EQ(ParseIdx(Bytes({0, 0, 8, 1, 0, 0, 0, 0}))->num_elements(), 0);
}

TEST(Idx, ScalesAndConverts) {
  const auto pixels = ParseIdx(kTwoByTwo, {.dtype = runtime::DType::kF32, .scale = 1.0 / 255});
  ASSERT_TRUE(pixels.ok()) << pixels.status();
  EXPECT_EQ(pixels->data<float>()[3], 1);
  EXPECT_EQ(pixels->data<float>()[0], 0);
  EXPECT_THAT(ParseIdx(kTwoByTwo, {.dtype = runtime::DType::kI64})->data<int64_t>(),
              ElementsAre(0, 1, 128, 255));
  EXPECT_EQ(ParseIdx(kTwoByTwo, {.scale = 0.5})->data<float>()[2], 64);
  EXPECT_THAT(Message(ParseIdx(Bytes({0, 0, 13, 1, 0, 0, 0, 1, 0, 0, 0, 0}),
                               {.dtype = runtime::DType::kI32})
                          .status()),
              HasSubstr("f32 times 1 do not go into i32"));
}

TEST(Idx, RefusesByNameAndPlace) {
  const auto refusal = [](const std::string& bytes) {
    return Message(ParseIdx(bytes, {}, "t.idx").status());
  };
  EXPECT_EQ(refusal(""), "t.idx: truncated: 0 bytes, expected an IDX header");
  EXPECT_THAT(refusal(Bytes({1, 0, 8, 0, 0})), HasSubstr("starts with 01 00, expected 00 00"));
  EXPECT_THAT(refusal(Bytes({0, 0, 10, 0})), HasSubstr("element type 10 is not known"));
  EXPECT_THAT(refusal(Bytes({0, 0, 8, 9})), HasSubstr("9 axes, expected at most 8"));
  EXPECT_THAT(refusal(Bytes({0, 0, 8, 2, 0, 0, 0, 1})), HasSubstr("a header of 2 axes has 12"));
  EXPECT_EQ(refusal(kTwoByTwo.substr(0, 15)),
            "t.idx: truncated: 3 bytes follow the header, but [2, 2] of u8 take 4");
  EXPECT_THAT(refusal(kTwoByTwo + "x"), HasSubstr("trailing bytes: 5 bytes follow the header"));
  const std::string huge = Bytes({0, 0, 14, 3}) + std::string(12, '\xff');
  EXPECT_THAT(refusal(huge), HasSubstr("more elements than there are"));
}

TEST(Gzip, IsReadWhereverAFileIs) {
  const std::string path = ::testing::TempDir() + "/gradus_gzip_test";
  ASSERT_TRUE(runtime::WriteFileAtomically(path, Zip(kTwoByTwo)).ok());
  EXPECT_EQ(ReadIdx(path)->data<int32_t>()[3], 255);
  EXPECT_EQ(ReadArray(path)->data<int32_t>()[3], 255);
  const auto array = runtime::Tensor::FromVector<float>({2, 2}, {1, 2, 3, 4}).value();
  ASSERT_TRUE(runtime::WriteFileAtomically(path, Zip(runtime::SerializeNpy(array).value())).ok());
  EXPECT_EQ(ReadArray(path)->data<float>()[3], 4);
  const auto table = TableFromArray(*ReadArray(path));
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(table->names(), ElementsAre("column_1", "column_2"));
  EXPECT_THAT(table->Numbers("column_2").value(), ElementsAre(2, 4));
  ASSERT_TRUE(runtime::WriteFileAtomically(path, Zip("a,b\n1,2\n")).ok());
  EXPECT_THAT(ReadCsv(path)->Numbers("b").value(), ElementsAre(2));
}

TEST(Gzip, IsBoundedAndChecked) {
  // NOLINTNEXTLINE(bugprone-string-constructor): ten million of one letter are the point
  const std::string large = Zip(std::string(10'000'000, 'x'));
  ASSERT_LT(large.size(), 20'000U);
  const auto part = Gunzip(large, 100, "f");
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_EQ(part->bytes, std::string(100, 'x'));
  EXPECT_FALSE(part->complete);
  EXPECT_EQ(Gunzip(large, INT64_MAX, "f")->bytes.size(), 10'000'000U);
  std::string damaged = large;
  damaged[damaged.size() - 8] ^= 1;  // the checksum
  EXPECT_THAT(Message(Gunzip(damaged, INT64_MAX, "f").status()), HasSubstr("f: gzip: damaged"));
  EXPECT_THAT(Message(Gunzip(large.substr(0, large.size() - 3), INT64_MAX, "f").status()),
              HasSubstr("f: gzip: truncated after"));
  EXPECT_THAT(Message(Gunzip(large + "yz", INT64_MAX, "f").status()),
              HasSubstr("2 trailing bytes"));
  const std::string path = ::testing::TempDir() + "/gradus_gzip_bound";
  ASSERT_TRUE(runtime::WriteFileAtomically(path, large).ok());
  EXPECT_EQ(ReadFileOrGzip(path, 9'999'999).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(ReadFileOrGzip(path, 10'000'000).ok());
  // 2^32 - 1 pixels of an IDX header in twenty bytes of gzip.
  EXPECT_THAT(Message(ParseIdx(Zip(Bytes({0, 0, 8, 1, 255, 255, 255, 255}))).status()),
              HasSubstr("bytes of gzip can hold"));
}

// The real thing, where it is at hand.
TEST(Idx, ReadsMnist) {
  const std::string folder = "../shared/data/mnist/";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not there";
  const auto labels = ReadIdx(folder + "t10k-labels-idx1-ubyte.gz");
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(labels->shape(), ElementsAre(10'000));
  EXPECT_EQ(labels->data<int32_t>()[0], 7);
  const auto images = ReadIdx(folder + "t10k-images-idx3-ubyte.gz",
                              {.dtype = runtime::DType::kF32, .scale = 1.0 / 255});
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_THAT(images->shape(), ElementsAre(10'000, 28, 28));
}

}  // namespace
}  // namespace gradus::data
