#include "frontend/data/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "fmt/format.h"

namespace gradus::data {
namespace {

using testing::HasSubstr;

// A table as text: "name:cell|cell;name:..." with text cells in brackets and ? for missing numbers.
std::string Describe(const Table& table) {
  std::string out;
  for (const Column& column : table.columns()) {
    if (!out.empty()) out += ';';
    out += column.name + ":";
    for (int64_t row = 0; row < table.rows(); ++row) {
      if (row > 0) out += '|';
      if (column.numeric()) {
        const double x = std::get<std::vector<double>>(column.cells)[static_cast<size_t>(row)];
        out += std::isnan(x) ? "?" : fmt::format("{}", x);
      } else {
        out += "[" + std::string(std::get<TextCells>(column.cells)[row]) + "]";
      }
    }
  }
  return out;
}

struct Case {
  std::string name;
  std::string text;
  std::string want;  // Describe of the table, or "error: " and a part of the message
  CsvOptions options = {};
};

const std::string kBom = "\xef\xbb\xbf";

std::vector<Case> Cases() {
  using namespace std::string_literals;
  return {
      // Line ends.
      {"Lf", "a,b\n1,2\n3,4\n", "a:1|3;b:2|4"},
      {"Crlf", "a,b\r\n1,2\r\n3,4\r\n", "a:1|3;b:2|4"},
      {"Cr", "a,b\r1,2\r3,4\r", "a:1|3;b:2|4"},
      {"MixedLineEnds", "a,b\n1,2\r\n3,4\r5,6", "a:1|3|5;b:2|4|6"},
      {"NoFinalLineEnd", "a,b\n1,2", "a:1;b:2"},
      {"FinalDelimiterAtEndOfText", "a,b\n1,", "a:1;b:?"},
      {"BlankLinesAreSkipped", "\n\na,b\n\n1,2\r\n\r\n3,4\n\n", "a:1|3;b:2|4"},
      {"ByteOrderMark", kBom + "a,b\n1,2\n", "a:1;b:2"},
      {"ByteOrderMarkBeforeQuote", kBom + "\"a\",b\n1,2\n", "a:1;b:2"},
      // Quotes.
      {"QuotedNumber", "a\n\"1.5\"\n", "a:1.5"},
      {"QuotedDelimiter", "a,b\n\"x,y\",2\n", "a:[x,y];b:2"},
      {"QuotedLf", "a,b\n\"x\ny\",2\n", "a:[x\ny];b:2"},
      {"QuotedCrlf", "a,b\n\"x\r\ny\",2\n", "a:[x\r\ny];b:2"},
      {"DoubledQuote", "a\n\"say \"\"hi\"\" twice\"\n", "a:[say \"hi\" twice]"},
      {"OnlyDoubledQuotes", "a\n\"\"\"\"\"\"\n", "a:[\"\"]"},
      {"TwoQuotedCellsInARow", "a,b\n\"p\"\"q\",\"r\"\"s\"\n", "a:[p\"q];b:[r\"s]"},
      {"QuotedEmptyIsMissing", "a,b\n\"\",2\n", "a:?;b:2"},
      {"QuotedEmptyLineIsARecord", "a\n\"\"\n1\n", "a:?|1"},
      {"QuoteInsideAnUnquotedCell", "a\nx\"y\"\n", "a:[x\"y\"]"},
      {"QuotedAtEndOfText", "a\n\"x\"", "a:[x]"},
      {"QuotedHeader", "\"a,1\",\"b\"\"c\"\n1,2\n", "a,1:1;b\"c:2"},
      {"QuotedCellThenCr", "a,b\r\"x\",\"y\"\r", "a:[x];b:[y]"},
      // Numbers.
      {"Numbers", "a\n-1\n+2\n.5\n3.\n1e3\n-2.5E-1\n007\n", "a:-1|2|0.5|3|1000|-0.25|7"},
      {"SpacesAroundNumbers", "a,b\n 1 ,\t2\n", "a:1;b:2"},
      {"MissingWords", "a\nNaN\nnan\nNA\nn/a\nnull\nNULL\n1\n", "a:?|?|?|?|?|?|1"},
      {"EmptyAndBlankCells", "a,b\n,\n1,  \n", "a:?|1;b:?|?"},
      {"AColumnOfEmptyCellsIsNumeric", "a,b\n,1\n,2\n", "a:?|?;b:1|2"},
      {"ExactDouble", "a\n0.1\n9007199254740993\n1.7976931348623157e308\n5e-324\n",
       "a:0.1|9007199254740992|1.7976931348623157e+308|5e-324"},
      {"NotNumbers", "a,b,c,d,e,f,g\n0x10,1 2,1.2.3,--1,+-1,1e400,inf\n",
       "a:[0x10];b:[1 2];c:[1.2.3];d:[--1];e:[+-1];f:[1e400];g:[inf]"},
      {"ALonePlus", "a\n+\n", "a:[+]"},
      {"CellWithNulByte", "a\nx\0y\n"s, "a:[x\0y]"s},
      // Which columns are text.
      {"TextFromTheFirstRow", "id,x\nC1,1\nC2,2\n", "id:[C1]|[C2];x:1|2"},
      {"TextFromALaterRow", "x,y\n007,1\n,2\nabc,3\n8,4\n", "x:[007]|[]|[abc]|[8];y:1|2|3|4"},
      {"TwoLateColumnsOneEarly", "a,b,c\n1,x,\"2\"\nq,y,\"r\"\"s\"\n",
       "a:[1]|[q];b:[x]|[y];c:[2]|[r\"s]"},
      {"TextColumnsAreNamed", "id,x\n01,1\n02,2\n", "id:[01]|[02];x:1|2", {.text_columns = {"id"}}},
      {"Coerce", "a,b\n1,x\n?,2\n", "a:1|?;b:?|2", {.non_numeric = NonNumeric::kCoerce}},
      {"CoerceLeavesTextColumns",
       "a,b\nx,y\n",
       "a:[x];b:?",
       {.non_numeric = NonNumeric::kCoerce, .text_columns = {"a"}}},
      {"Fill", "a,b\n,x\n2,\n", "a:0|2;b:[x]|[]", {.fill = 0}},
      {"CoerceAndFill",
       "a,b\n,x\n2,3\n",
       "a:-1|2;b:-1|3",
       {.non_numeric = NonNumeric::kCoerce, .fill = -1}},
      // Other forms.
      {"Semicolons", "a;b\n1,5;2\n", "a:[1,5];b:2", {.delimiter = ';'}},
      {"Tabs", "a\tb\n1\t2\n", "a:1;b:2", {.delimiter = '\t'}},
      {"NoHeader", "1,x\n2,y\n", "column_1:1|2;column_2:[x]|[y]", {.header = false}},
      {"NoHeaderLateText", "1,2\nz,3\n", "column_1:[1]|[z];column_2:2|3", {.header = false}},
      {"NoHeaderTextColumn",
       "01\n",
       "column_1:[01]",
       {.header = false, .text_columns = {"column_1"}}},
      {"HeaderOnly", "a,b\n", "a:;b:"},
      {"HeaderNamesAreTrimmed", " a , b b \n1,2\n", "a:1;b b:2"},
      {"NamelessColumn", ",a\n1,2\n", "column_1:1;a:2"},
      {"Utf8Text", "näme\nÖl\n", "näme:[Öl]"},
      // Errors: file, line, column, what was found.
      {"TooFewCells", "a,b\n1,2\n3\n", "error: t.csv:3: expected 2 cells as in line 1, got 1"},
      {"TooManyCells", "a,b\n1,2,3\n", "error: t.csv:2: expected 2 cells as in line 1, got 3"},
      {"RaggedNoHeader",
       "1,2\n3\n",
       "error: t.csv:2: expected 2 cells as in line 1, got 1",
       {.header = false}},
      {"LinesInsideQuotesCount", "a,b\n\"x\n\ny\",1\n3\n", "error: t.csv:5: expected 2 cells"},
      {"CrlfInsideQuotesIsOneLine", "a,b\r\n\"x\r\ny\",1\r\n3\r\n", "error: t.csv:4: expected 2"},
      {"BlankLinesCount", "\n\na,b\n\n3\n", "error: t.csv:5: expected 2 cells as in line 3, got 1"},
      {"UnclosedQuote", "a,b\n1,2\n3,\"x\n4,5\n",
       "error: t.csv:3: column 2: the quote that opens here is never closed"},
      {"UnclosedQuoteAtEnd", "a\n\"", "error: t.csv:2: column 1: the quote that opens"},
      {"TextAfterQuote", "a,b\n1,\"x\"y\n",
       "error: t.csv:2: column 2: expected a delimiter after the closing quote, got \"y\""},
      {"NotANumber",
       "a,b\n1,2\n3,x\n",
       "error: t.csv:3: column 2 (b): expected a number, got \"x\"",
       {.non_numeric = NonNumeric::kError}},
      {"ControlCharactersAreEscaped",
       "a\n\x1b[31m\n",
       "error: t.csv:2: column 1 (a): expected a number, got \"\\x1b[31m\"",
       {.non_numeric = NonNumeric::kError}},
      {"LongCellsAreShortened",
       "a\n" + std::string(1000, 'x') + "\n",
       "error: t.csv:2: column 1 (a): expected a number, got \"" + std::string(40, 'x') + "...\"",
       {.non_numeric = NonNumeric::kError}},
      {"Empty", "", "error: t.csv: the file holds no cells"},
      {"OnlyBlankLines", "\n\r\n\n", "error: t.csv: the file holds no cells"},
      {"OnlyByteOrderMark", kBom, "error: t.csv: the file holds no cells"},
      {"EmptyNoHeader", "", "error: t.csv: the file holds no cells", {.header = false}},
      {"Utf16",
       "\xff\xfe"
       "a\0"s,
       "error: t.csv:1: this is UTF-16 text"},
      {"EqualNames", "a,b,a\n1,2,3\n", "error: t.csv:1: two columns are named \"a\""},
      {"UnknownTextColumn", "a\n1\n", "error: t.csv:1: no column \"id\"", {.text_columns = {"id"}}},
      {"BadDelimiter", "a\n", "error: cannot be the delimiter", {.delimiter = '"'}},
      {"BadDelimiterLineEnd", "a\n", "error: cannot be the delimiter", {.delimiter = '\n'}},
      {"TooManyColumns", std::string(1'000'001, ',') + "\n", "error: t.csv:1: more than 1000000"},
  };
}

class Csv : public testing::TestWithParam<Case> {};

TEST_P(Csv, Reads) {
  const Case& c = GetParam();
  const absl::StatusOr<Table> table = ParseCsv(c.text, c.options, "t.csv");
  const std::string got =
      table.ok() ? Describe(*table) : "error: " + std::string(table.status().message());
  if (c.want.starts_with("error: ")) {
    EXPECT_EQ(got.substr(0, 7), "error: ") << got;
    EXPECT_THAT(got, HasSubstr(c.want.substr(7)));
  } else {
    EXPECT_EQ(got, c.want);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, Csv, testing::ValuesIn(Cases()),
                         [](const auto& c) { return c.param.name; });

// Every prefix of a tricky text is read or refused, and each record is the same whatever its line
// ends with.
TEST(CsvText, EveryPrefixEnds) {
  const std::string text = kBom + "a,\"b\"\r\n\"x\"\"\n,\",1\r2,\"\"\n\n3,\"q\"";
  for (size_t size = 0; size <= text.size(); ++size) {
    for (NonNumeric mode : {NonNumeric::kText, NonNumeric::kCoerce, NonNumeric::kError}) {
      for (bool header : {true, false}) {
        const auto table =
            ParseCsv(text.substr(0, size), {.header = header, .non_numeric = mode}, "t.csv");
        if (table.ok()) continue;
        EXPECT_THAT(std::string(table.status().message()), HasSubstr("t.csv"));
      }
    }
  }
}

TEST(CsvFile, NamesThePath) {
  const auto missing = ReadCsv("/nowhere/meters.csv");
  ASSERT_FALSE(missing.ok());
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("/nowhere/meters.csv"));

  const std::string path = testing::TempDir() + "/data_csv_test.csv";
  std::ofstream(path) << "a,b\n1,x\n2\n";
  const auto ragged = ReadCsv(path);
  ASSERT_FALSE(ragged.ok());
  EXPECT_THAT(std::string(ragged.status().message()), HasSubstr(path + ":3: expected 2 cells"));
  std::ofstream(path) << "a,b\n1,x\n";
  EXPECT_EQ(Describe(ReadCsv(path).value()), "a:1;b:[x]");
  EXPECT_FALSE(ReadCsv(path, {.max_bytes = 4}).ok());
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace gradus::data
