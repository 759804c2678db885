#include "runtime/safetensors.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/files.h"

namespace gradus::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

std::string File(std::string_view header, std::string_view data = "") {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(header.size() >> (8 * i) & 255);
  return out.append(header).append(data);
}

std::string Bytes(std::initializer_list<int> bytes) {
  std::string out;
  for (int b : bytes) out += static_cast<char>(b);
  return out;
}

// One tensor "a" of these fields.
std::string One(std::string_view fields, std::string_view data = "") {
  return File("{\"a\":{" + std::string(fields) + "}}", data);
}

Safetensors Parsed(std::string bytes) { return Safetensors::Parse(std::move(bytes)).value(); }

std::string Refusal(std::string bytes) {
  const auto file = Safetensors::Parse(std::move(bytes), "w.safetensors");
  EXPECT_FALSE(file.ok()) << "not refused";
  return Message(file.status());
}

TEST(Safetensors, ReadsAFileWrittenByHand) {
  const Safetensors file = Parsed(File(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"I64","shape":[],"data_offsets":[8,16]},"a":{"shape":[2,1],"dtype":"F32","data_offsets":[0,8]},"none":{"dtype":"F64","shape":[0,3],"data_offsets":[16,16]}}  )",
      Bytes({0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}) + Bytes({7, 0, 0, 0, 0, 0, 0, 0})));
  EXPECT_EQ(file.metadata().at("format"), "pt");
  ASSERT_EQ(file.tensors().size(), 3U);
  EXPECT_EQ(file.tensors()[0].name, "b");
  const Tensor a = file.Load("a").value(), b = file.Load("b").value();
  EXPECT_THAT(a.shape(), ElementsAre(2, 1));
  EXPECT_THAT(a.data<float>(), ElementsAre(1, -2));
  EXPECT_THAT(b.shape(), ElementsAre());
  EXPECT_THAT(b.data<int64_t>(), ElementsAre(7));
  EXPECT_EQ(file.Load("none").value().num_elements(), 0);
  EXPECT_EQ(Message(file.Load("c").status()),
            "safetensors: there is no tensor `c`; there are 3: a, b, none");
}

TEST(Safetensors, EveryTypeIsReadExactly) {
  const auto load = [](std::string_view dtype, int count, std::string_view data) {
    return Parsed(One("\"dtype\":\"" + std::string(dtype) + "\",\"shape\":[" +
                          std::to_string(count) + "],\"data_offsets\":[0," +
                          std::to_string(data.size()) + "]",
                      data))
        .Load("a");
  };
  EXPECT_THAT(load("F16", 3, Bytes({0, 0x3c, 1, 0, 0, 0xfc}))->data<float>(),
              ElementsAre(1, 0x1p-24F, -std::numeric_limits<float>::infinity()));
  EXPECT_THAT(load("BF16", 2, Bytes({0x80, 0x3f, 0x01, 0xc0}))->data<float>(),
              ElementsAre(1, -2.015625F));
  const Tensor e4m3 = load("F8_E4M3", 5, Bytes({0x38, 0x7e, 0x01, 0x7f, 0x81})).value();
  EXPECT_EQ(e4m3.data<float>()[0], 1);
  EXPECT_EQ(e4m3.data<float>()[1], 448);
  EXPECT_EQ(e4m3.data<float>()[2], 0x1p-9F);
  EXPECT_TRUE(std::isnan(e4m3.data<float>()[3]));
  EXPECT_EQ(e4m3.data<float>()[4], -0x1p-9F);
  EXPECT_THAT(load("F8_E5M2", 3, Bytes({0x3c, 0x7b, 0x7c}))->data<float>(),
              ElementsAre(1, 57344, std::numeric_limits<float>::infinity()));
  EXPECT_THAT(load("I8", 2, Bytes({0xff, 1}))->data<int32_t>(), ElementsAre(-1, 1));
  EXPECT_THAT(load("U8", 2, Bytes({0xff, 1}))->data<int32_t>(), ElementsAre(255, 1));
  EXPECT_THAT(load("I16", 1, Bytes({0xfe, 0xff}))->data<int32_t>(), ElementsAre(-2));
  EXPECT_THAT(load("U16", 1, Bytes({0xfe, 0xff}))->data<int32_t>(), ElementsAre(65534));
  EXPECT_THAT(load("U32", 1, Bytes({0xff, 0xff, 0xff, 0xff}))->data<int64_t>(),
              ElementsAre(4294967295));
  EXPECT_THAT(load("BOOL", 3, Bytes({0, 1, 9}))->data<uint8_t>(), ElementsAre(0, 1, 1));
  EXPECT_THAT(load("U64", 1, Bytes({1, 0, 0, 0, 0, 0, 0, 0}))->data<int64_t>(), ElementsAre(1));
  EXPECT_THAT(Message(load("U64", 1, Bytes({1, 0, 0, 0, 0, 0, 0, 0x80})).status()),
              HasSubstr("tensor `a`: element 0 does not fit in i64"));
}

TEST(Safetensors, WhatIsWrittenIsReadAndAligned) {
  const Tensor f = Tensor::FromVector<float>({2, 2}, {1, 2, 3, std::nanf("")}).value();
  const Tensor d = Tensor::FromVector<double>({1}, {0.1}).value();
  const Tensor i = Tensor::FromVector<int32_t>({3}, {1, -2, 3}).value();
  const Tensor l = Tensor::FromVector<int64_t>({}, {INT64_MIN}).value();
  const Tensor b = Tensor::FromVector<uint8_t>({3}, {1, 0, 1}).value();
  const Tensor none = Tensor::Zeros(DType::kF32, {0, 7}).value();
  const std::string odd = "a \"quoted\"\\\n\x01 \xf0\x9f\x98\x80";
  const std::vector<NamedTensorView> tensors = {{"b", b}, {"f", f}, {odd, i},
                                                {"d", d}, {"l", l}, {"none", none}};
  const auto bytes = SerializeSafetensors(tensors, {{"k\t", "v\"\n"}, {"e", ""}});
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const Safetensors file = Parsed(*bytes);
  EXPECT_EQ(file.metadata().at("k\t"), "v\"\n");
  EXPECT_EQ(file.metadata().at("e"), "");
  for (const SafetensorsEntry& e : file.tensors()) {
    EXPECT_EQ(e.begin % (e.dtype == "BOOL" ? 1 : e.dtype == "F32" || e.dtype == "I32" ? 4 : 8), 0);
  }
  for (const NamedTensorView& t : tensors) {
    const auto back = file.Load(t.name);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->dtype(), t.tensor.dtype);
    EXPECT_TRUE(std::ranges::equal(back->shape(), t.tensor.shape));
    EXPECT_TRUE(back->byte_size() == 0 || std::memcmp(back->raw(), t.tensor.data,
                                                      static_cast<size_t>(back->byte_size())) == 0);
  }
  uint64_t header;
  std::memcpy(&header, bytes->data(), 8);
  EXPECT_EQ(header % 8, 0U);
  const std::vector<NamedTensorView> other_order = {tensors.rbegin(), tensors.rend()};
  EXPECT_EQ(*SerializeSafetensors(other_order, {{"e", ""}, {"k\t", "v\"\n"}}), *bytes);
  EXPECT_EQ(Parsed(*SerializeSafetensors({})).tensors().size(), 0U);
}

TEST(Safetensors, WritesFilesAndRefusesWhatNoFileCanHold) {
  const std::string path = ::testing::TempDir() + "/gradus_test.safetensors";
  const Tensor one = Tensor::FromVector<float>({1}, {1}).value();
  const std::vector<NamedTensorView> good = {{"a", one}};
  ASSERT_TRUE(WriteSafetensors(path, good).ok());
  EXPECT_EQ(Safetensors::Read(path)->Load("a")->data<float>()[0], 1);
  EXPECT_EQ(Safetensors::Read(path, 10).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Safetensors::Read(path + "x").status().code(), absl::StatusCode::kNotFound);
  const std::vector<NamedTensorView> twice = {{"a", one}, {"a", one}};
  EXPECT_THAT(Message(WriteSafetensors(path, twice)), HasSubstr("two tensors are named `a`"));
  const std::vector<NamedTensorView> reserved = {{"__metadata__", one}};
  EXPECT_THAT(Message(WriteSafetensors(path, reserved)), HasSubstr("cannot be named"));
  const std::vector<NamedTensorView> latin = {{"\xe9", one}};
  EXPECT_THAT(Message(WriteSafetensors(path, latin)), HasSubstr("cannot be named `\\xe9`"));
  const std::vector<int64_t> shape = {3};
  const std::vector<NamedTensorView> nowhere = {{"a", TensorView(nullptr, DType::kF32, shape)}};
  EXPECT_THAT(Message(WriteSafetensors(path, nowhere)), HasSubstr("tensor `a` has no memory"));
  EXPECT_TRUE(Safetensors::Read(path).ok()) << "the old file is gone";
}

TEST(Safetensors, RefusesWhatIsNoSuchFile) {
  EXPECT_EQ(Refusal(""),
            "w.safetensors: truncated: 0 bytes, expected the length of the header in 8");
  EXPECT_THAT(Refusal(std::string(8, '\xff')), HasSubstr("header length of 18446744073709551615"));
  EXPECT_THAT(Refusal(Bytes({1, 0xe1, 0xf5, 5, 0, 0, 0, 0})), HasSubstr("at most 100000000"));
  EXPECT_EQ(Refusal(File("{}").substr(0, 9)),
            "w.safetensors: truncated: the header has 2 bytes, but only 1 follow");
  EXPECT_THAT(Refusal(File("{}", "x")),
              HasSubstr("trailing bytes: the last tensor ends at byte 0"));
  EXPECT_THAT(Refusal(File("{\"\xff\":1}")), HasSubstr("the header is not UTF-8"));
}

TEST(Safetensors, RefusesWhatIsNoHeader) {
  EXPECT_THAT(Refusal(File("")), HasSubstr("at byte 8: expected `{`"));
  EXPECT_THAT(Refusal(File(" {}")), HasSubstr("at byte 8: expected `{`, got ` {}`"));
  EXPECT_THAT(Refusal(File("{")), HasSubstr("expected a text in quotes"));
  EXPECT_THAT(Refusal(File("{}x")), HasSubstr("at byte 10: expected nothing but spaces"));
  EXPECT_THAT(Refusal(File("{}\n")), HasSubstr("expected nothing but spaces"));
  EXPECT_THAT(Refusal(File("[]")), HasSubstr("expected `{`"));
  EXPECT_THAT(Refusal(File("{\"a\"}")), HasSubstr("expected `:`"));
  EXPECT_THAT(Refusal(File("{\"a\":{\"dtype\":\"F32\"},}")), HasSubstr("has no `shape`"));
  EXPECT_THAT(Refusal(File("{\"a")), HasSubstr("expected the closing quote"));
  EXPECT_THAT(Refusal(File("{\"\\x\":1}")), HasSubstr("expected an escape of JSON"));
  EXPECT_THAT(Refusal(File("{\"\\ud800\":1}")), HasSubstr("expected an escape of JSON"));
  EXPECT_THAT(Refusal(File("{\"\\udc00\":1}")), HasSubstr("expected an escape of JSON"));
  EXPECT_THAT(Refusal(File("{\"\\u12\":1}")), HasSubstr("expected an escape of JSON"));
  EXPECT_THAT(Refusal(File("{\"a\nb\":1}")), HasSubstr("no control character"));
  EXPECT_THAT(Refusal(File("{\"__metadata__\":{\"k\":1}}")),
              HasSubstr("expected a text in quotes"));
  EXPECT_THAT(Refusal(File("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}")),
              HasSubstr("metadata `k` stands twice"));
  EXPECT_THAT(Refusal(File("{\"__metadata__\":{},\"__metadata__\":{}}")),
              HasSubstr("`__metadata__` stands twice"));
  const std::string deep(1'000'000, '[');
  EXPECT_THAT(Refusal(File("{\"a\":" + deep)), HasSubstr("expected `{`, got `[[["));
  EXPECT_THAT(Refusal(One("\"dtype\":\"F32\",\"shape\":" + deep)), HasSubstr("whole number"));
}

TEST(Safetensors, RefusesTensorsThatAreNone) {
  const std::string f32 = "\"dtype\":\"F32\",";
  EXPECT_THAT(Refusal(One(f32 + "\"shape\":[2],\"data_offsets\":[0,4]", "abcd")),
              HasSubstr("tensor `a`: [2] of F32 takes 8 bytes, but data_offsets [0, 4] hold 4"));
  EXPECT_THAT(Refusal(One(f32 + "\"shape\":[1],\"data_offsets\":[4,0]", "abcd")),
              HasSubstr("its bytes end at 0, before they begin at 4"));
  EXPECT_THAT(Refusal(One(f32 + "\"shape\":[1],\"data_offsets\":[0,4]", "abc")),
              HasSubstr("truncated: tensor `a` ends at byte 4 of the data, but only 3 are there"));
  EXPECT_THAT(Refusal(One(f32 + "\"shape\":[1],\"data_offsets\":[4,8]", "abcdefgh")),
              HasSubstr("bytes 0 to 4 of the data, before tensor `a`, belong to no tensor"));
  EXPECT_THAT(Refusal(One(f32 + "\"shape\":[1],\"data_offsets\":[0,4]", "abcde")),
              HasSubstr("trailing bytes"));
  // 2^62 * 4 * 4 wraps around to 0, and 2^63 - 1 elements to less than nothing.
  EXPECT_THAT(Refusal(One(f32 + "\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]")),
              HasSubstr("has more bytes than there are"));
  EXPECT_THAT(Refusal(One(f32 + "\"shape\":[9223372036854775807],\"data_offsets\":[0,0]")),
              HasSubstr("has more bytes than there are"));
  EXPECT_THAT(Refusal(One(f32 + "\"shape\":[0,4611686018427387904,4],\"data_offsets\":[0,0]")),
              HasSubstr("has more bytes than there are"));
  for (const char* number :
       {"-1", "1.0", "1e0", "9223372036854775808", "01", "\"1\"", "null", ""}) {
    EXPECT_THAT(Refusal(One(f32 + "\"shape\":[1," + number + "],\"data_offsets\":[0,4]", "abcd")),
                HasSubstr("tensor `a`: expected a whole number from 0 to 2^63 - 1"))
        << number;
  }
  EXPECT_THAT(Refusal(One(f32 + "\"shape\":[1],\"data_offsets\":[0,4,8]", "abcd")),
              HasSubstr("at most 2 numbers"));
  EXPECT_THAT(Refusal(One(f32 + "\"shape\":[1],\"data_offsets\":[0]", "abcd")),
              HasSubstr("expected two offsets"));
  EXPECT_THAT(Refusal(One(f32 + f32 + "\"shape\":[],\"data_offsets\":[0,4]", "abcd")),
              HasSubstr("`dtype` stands twice"));
  EXPECT_THAT(Refusal(One("\"x\":1")), HasSubstr("unknown key `x`"));
  EXPECT_THAT(Refusal(One("\"dtype\":\"C64\",\"shape\":[],\"data_offsets\":[0,8]", "abcdefgh")),
              HasSubstr("tensor `a`: dtype `C64` is not supported, expected one of F64, F32"));
  std::string ones = "1";
  for (int i = 0; i < 64; ++i) ones += ",1";
  EXPECT_THAT(Refusal(One(f32 + "\"shape\":[" + ones + "],\"data_offsets\":[0,4]", "abcd")),
              HasSubstr("at most 64 numbers"));
  const std::string field = R"("dtype":"F32","shape":[1],"data_offsets":)";
  EXPECT_THAT(Refusal(File("{\"a\":{" + field + "[0,4]},\"a\":{" + field + "[4,8]}}", "abcdefgh")),
              HasSubstr("tensor `a` stands twice"));
  EXPECT_THAT(
      Refusal(File("{\"a\":{" + field + "[0,4]},\"\\u0061\":{" + field + "[4,8]}}", "abcdefgh")),
      HasSubstr("tensor `a` stands twice"));
  EXPECT_THAT(Refusal(File("{\"a\":{" + field + "[0,4]},\"b\":{" + field + "[2,6]}}", "abcdef")),
              HasSubstr("tensors `a` and `b` overlap at byte 2"));
  EXPECT_THAT(Refusal(File("{\"a\":{" + field + "[0,4]},\"b\":{" + field + "[0,4]}}", "abcd")),
              HasSubstr("overlap at byte 0"));
}

TEST(Safetensors, Utf8IsChecked) {
  for (const char* good : {"", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xef\xbf\xbf"})
    EXPECT_TRUE(IsUtf8(good)) << good;
  for (const char* bad : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe2\x82", "a\xc3z"})
    EXPECT_FALSE(IsUtf8(bad)) << bad;
}

}  // namespace
}  // namespace gradus::runtime
