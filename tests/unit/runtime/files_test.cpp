#include "runtime/files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gradus::runtime {
namespace {

using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

class FilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/gradus_files_XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  long FileCount() const { return std::distance(std::filesystem::directory_iterator(folder_), {}); }

  std::string folder_;
};

TEST_F(FilesTest, WhatIsWrittenIsRead) {
  for (const std::string& bytes :
       {std::string(), std::string("a\0b", 3), std::string(200'000, 'x')}) {
    ASSERT_TRUE(WriteFileAtomically(Path("f"), bytes).ok());
    absl::StatusOr<std::string> read = ReadFile(Path("f"));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, bytes);
  }
  EXPECT_EQ(FileCount(), 1) << "a temporary file was left";
}

TEST_F(FilesTest, ReadReportsWhatIsNotThere) {
  absl::Status status = ReadFile(Path("none")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Message(status), "cannot open `" + Path("none") + "`: No such file or directory");
  EXPECT_EQ(ReadFile(folder_).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReadFile("").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadFile(std::string_view("a\0b", 3)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(FilesTest, ReadKeepsItsLimit) {
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "12345").ok());
  EXPECT_TRUE(ReadFile(Path("f"), 5).ok());
  absl::Status status = ReadFile(Path("f"), 4).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(status), HasSubstr("is larger than the limit of 4 bytes"));
  EXPECT_EQ(ReadFile("/dev/zero", 1'000'000).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(FilesTest, AFailedWriteLeavesTheOldFile) {
  absl::Status status = WriteFileAtomically(Path("no/such/folder"), "x");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(status), HasSubstr("cannot write `" + Path("no/such/folder") + "`"));
  std::filesystem::create_directory(Path("d"));
  EXPECT_EQ(WriteFileAtomically(Path("d"), "x").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(WriteFileAtomically("", "x").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(WriteFileAtomically("/dev/full", "x").code(), absl::StatusCode::kOk);
  EXPECT_EQ(FileCount(), 1) << "a temporary file was left";
}

TEST_F(FilesTest, PermissionsAndLinksSurvive) {
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "old").ok());
  ASSERT_EQ(chmod(Path("f").c_str(), 0640), 0);
  std::filesystem::create_symlink("f", Path("link"));
  ASSERT_TRUE(WriteFileAtomically(Path("link"), "new").ok());
  EXPECT_TRUE(std::filesystem::is_symlink(Path("link")));
  EXPECT_EQ(*ReadFile(Path("f")), "new");
  struct stat info;
  ASSERT_EQ(stat(Path("f").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
}

TEST_F(FilesTest, PipesAreReadAndWritten) {
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  std::string bytes(300'000, 'p');  // more than a pipe holds
  absl::Status written;
  std::thread writer([&] { written = WriteFileAtomically(Path("pipe"), bytes); });
  absl::StatusOr<std::string> read = ReadFile(Path("pipe"));
  writer.join();
  EXPECT_TRUE(written.ok()) << written;
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, bytes);
}

}  // namespace
}  // namespace gradus::runtime
