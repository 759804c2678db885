#include "frontend/data/csv.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "fmt/format.h"
#include "frontend/data/gzip.h"

namespace gradus::data {
namespace {

// More is surely not a table but a file with another delimiter or no line ends.
constexpr size_t kMaxColumns = 1'000'000;
constexpr size_t kMaxShown = 40;  // characters of a cell in a message

// A cell as it may stand in a message.
std::string Quote(std::string_view cell) {
  std::string shown = "\"";
  for (char c : cell.substr(0, kMaxShown)) {
    const auto byte = static_cast<unsigned char>(c);
    shown += byte < 0x20 || byte == 0x7f ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  return shown + (cell.size() > kMaxShown ? "...\"" : "\"");
}

// Splits text into cells and records. A handler has
//   bool Cell(size_t column, std::string_view cell)   and   bool EndRecord(size_t cells)
// where false stops the reading; `line` is the line on which the current record starts.
class Tokenizer {
 public:
  Tokenizer(std::string_view text, char delimiter, std::string_view name)
      : text_(text), delimiter_(delimiter), name_(name) {
    for (char c : {delimiter, '\n', '\r'}) stops_[static_cast<unsigned char>(c)] = true;
  }

  int64_t line() const { return record_line_; }

  template <class Handler>
  absl::Status Run(Handler& handler) {
    while (position_ < text_.size()) {
      record_line_ = line_;
      if (AtLineEnd()) {  // a blank line
        SkipLineEnd();
        continue;
      }
      size_t column = 0;
      while (true) {
        const bool quoted = position_ < text_.size() && text_[position_] == '"';
        std::string_view cell;
        if (quoted) {
          absl::StatusOr<std::string_view> read = QuotedCell(column);
          if (!read.ok()) return read.status();
          cell = *read;
        } else {
          cell = PlainCell();
        }
        if (!handler.Cell(column++, cell)) return absl::OkStatus();
        if (position_ == text_.size() || text_[position_] != delimiter_) break;
        ++position_;
      }
      if (position_ < text_.size()) SkipLineEnd();
      if (!handler.EndRecord(column)) return absl::OkStatus();
    }
    return absl::OkStatus();
  }

 private:
  bool AtLineEnd() const { return text_[position_] == '\n' || text_[position_] == '\r'; }

  void SkipLineEnd() {
    const bool both = text_.substr(position_, 2) == "\r\n";
    position_ += both ? 2 : 1;
    ++line_;
  }

  std::string_view PlainCell() {
    const char* const begin = text_.data() + position_;
    const char* const end = text_.data() + text_.size();
    const char* stop = begin;
    while (stop != end && !stops_[static_cast<unsigned char>(*stop)]) ++stop;
    position_ += static_cast<size_t>(stop - begin);
    return {begin, stop};
  }

  // A cell without doubled quotes is a piece of the text; one with them is put together aside.
  absl::StatusOr<std::string_view> QuotedCell(size_t column) {
    const int64_t opened = line_;
    size_t begin = ++position_;
    bool pieces = false;
    while (true) {
      const size_t end = text_.find('"', position_);
      if (end == std::string_view::npos) {
        return absl::InvalidArgumentError(
            fmt::format("{}:{}: column {}: the quote that opens here is never closed", name_,
                        opened, column + 1));
      }
      CountLines(text_.substr(position_, end - position_));
      position_ = end + 1;
      const std::string_view piece = text_.substr(begin, end - begin);
      if (position_ < text_.size() && text_[position_] == '"') {  // a doubled quote
        if (!pieces) unquoted_.clear();
        pieces = true;
        unquoted_.append(piece).push_back('"');
        begin = ++position_;
        continue;
      }
      if (position_ < text_.size() && !stops_[static_cast<unsigned char>(text_[position_])]) {
        return absl::InvalidArgumentError(
            fmt::format("{}:{}: column {}: expected a delimiter after the closing quote, got {}; a "
                        "quote inside "
                        "a quoted cell is written twice",
                        name_, line_, column + 1, Quote(text_.substr(position_, 1))));
      }
      return pieces ? std::string_view(unquoted_.append(piece)) : piece;
    }
  }

  void CountLines(std::string_view text) {
    for (size_t i = 0; i < text.size(); ++i) {
      const bool crlf = text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
      if ((text[i] == '\n' || text[i] == '\r') && !crlf) ++line_;
    }
  }

  std::string_view text_;
  char delimiter_;
  std::string_view name_;
  std::array<bool, 256> stops_{};
  size_t position_ = 0;
  int64_t line_ = 1;
  int64_t record_line_ = 1;
  std::string unquoted_;
};

// Builds the columns. With NonNumeric::kText a column whose first cell is a number but a later one
// is not has lost the spelling of the earlier ones: it is `late`, and a second run over the text
// collects it.
class Builder {
 public:
  Builder(const CsvOptions& options, std::string_view name, const Tokenizer& tokens)
      : options_(options), name_(name), tokens_(tokens) {}

  bool Cell(size_t column, std::string_view cell) {
    if (!named_) return NameColumn(column, cell);
    if (column >= columns_.size()) return true;  // too many cells: EndRecord tells
    State& state = columns_[column];
    if (state.kind == Kind::kText) {
      std::get<TextCells>(state.column.cells).Append(cell);
      return true;
    }
    if (state.kind != Kind::kNumeric) return true;
    double value = 0;
    if (!ParseNumber(cell, value)) {
      if (options_.non_numeric == NonNumeric::kError) {
        return Fail(
            fmt::format("{}: expected a number, got {}; coerce such cells, or name the "
                        "column in text_columns",
                        Place(column), Quote(cell)));
      }
      if (options_.non_numeric == NonNumeric::kText) return BecomeText(state, cell);
    }
    std::get<std::vector<double>>(state.column.cells).push_back(value);
    return true;
  }

  bool EndRecord(size_t cells) {
    if (!named_) {
      named_ = true;
      first_line_ = tokens_.line();
      return PrepareColumns();
    }
    if (cells != columns_.size()) {
      return Fail(fmt::format("{}:{}: expected {} cells as in line {}, got {}", name_,
                              tokens_.line(), columns_.size(), first_line_, cells));
    }
    ++rows_;
    return true;
  }

  // Without a header: the columns are counted in the first record, before it is read as data.
  void NameByNumber() {
    named_ = true;
    first_line_ = tokens_.line();
    for (State& state : columns_) state.column.name.clear();
    PrepareColumns();
  }

  bool has_columns() const { return !columns_.empty(); }
  const absl::Status& status() const { return status_; }

  // Before a second run: true if some column needs it. That run fills these columns only.
  bool StartLateColumns() {
    bool any = false;
    for (State& state : columns_) {
      any |= state.kind == Kind::kLate;
      state.kind = state.kind == Kind::kLate ? Kind::kText : Kind::kDone;
    }
    return any;
  }
  void SkipHeaderAgain(bool header) { named_ = !header; }

  absl::StatusOr<Table> Finish() {
    std::vector<Column> columns;
    for (State& state : columns_) columns.push_back(std::move(state.column));
    absl::StatusOr<Table> table = Table::Create(std::move(columns));
    if (!table.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("{}:{}: {}", name_, first_line_, std::string(table.status().message())));
    }
    if (options_.fill.has_value()) return table->FillMissing(*options_.fill);
    return table;
  }

 private:
  enum class Kind { kNumeric, kText, kLate, kDone };
  struct State {
    Column column;
    Kind kind = Kind::kNumeric;
  };

  bool Fail(const std::string& message) {
    status_ = absl::InvalidArgumentError(message);
    return false;
  }

  std::string Place(size_t column) const {
    return fmt::format("{}:{}: column {} ({})", name_, tokens_.line(), column + 1,
                       columns_[column].column.name);
  }

  bool NameColumn(size_t column, std::string_view cell) {
    if (prepared_) return true;  // the header, seen again in a second run
    if (column >= kMaxColumns) {
      return Fail(fmt::format("{}:{}: more than {} columns; is the delimiter right?", name_,
                              tokens_.line(), kMaxColumns));
    }
    while (!cell.empty() && cell.front() == ' ') cell.remove_prefix(1);
    while (!cell.empty() && cell.back() == ' ') cell.remove_suffix(1);
    columns_.push_back({{std::string(cell), {}}});
    return true;
  }

  bool PrepareColumns() {
    if (prepared_) return true;
    prepared_ = true;
    for (size_t i = 0; i < columns_.size(); ++i) {
      State& state = columns_[i];
      if (state.column.name.empty()) state.column.name = fmt::format("column_{}", i + 1);
      if (std::ranges::count(options_.text_columns, state.column.name) > 0) {
        state.kind = Kind::kText;
        state.column.cells.emplace<TextCells>();
      }
    }
    for (const std::string& wanted : options_.text_columns) {
      if (std::ranges::none_of(columns_, [&](auto& s) { return s.column.name == wanted; })) {
        return Fail(fmt::format("{}:{}: no column \"{}\", which text_columns names", name_,
                                first_line_, wanted));
      }
    }
    return true;
  }

  bool BecomeText(State& state, std::string_view cell) {
    auto& cells = state.column.cells.emplace<TextCells>();  // what was read is spelled otherwise
    state.kind = rows_ == 0 ? Kind::kText : Kind::kLate;
    if (rows_ == 0) cells.Append(cell);
    return true;
  }

  const CsvOptions& options_;
  std::string_view name_;
  const Tokenizer& tokens_;
  std::vector<State> columns_;
  bool named_ = false;     // the header has been passed, in this run
  bool prepared_ = false;  // the columns are known
  int64_t first_line_ = 1;
  int64_t rows_ = 0;
  absl::Status status_;
};

// Reads the first record only, to count the columns of a text without a header.
class FirstRecord {
 public:
  explicit FirstRecord(Builder& builder) : builder_(builder) {}
  bool Cell(size_t column, std::string_view cell) { return builder_.Cell(column, cell); }
  bool EndRecord(size_t) { return false; }

 private:
  Builder& builder_;
};

absl::Status CheckStart(std::string_view text, char delimiter, std::string_view name) {
  if (delimiter == '"' || delimiter == '\n' || delimiter == '\r') {
    return absl::InvalidArgumentError(
        "a quote or a line end cannot be the delimiter of a CSV file");
  }
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) {
    return absl::InvalidArgumentError(
        fmt::format("{}:1: this is UTF-16 text; save it as UTF-8", name));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Table> ParseCsv(std::string_view text, const CsvOptions& options,
                               std::string_view name) {
  if (absl::Status status = CheckStart(text, options.delimiter, name); !status.ok()) return status;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);

  // `tokens` is laid anew for each run; the builder asks it for line numbers.
  Tokenizer tokens(text, options.delimiter, name);
  Builder builder(options, name, tokens);
  const auto run = [&](auto& handler) -> absl::Status {
    tokens = Tokenizer(text, options.delimiter, name);
    absl::Status status = tokens.Run(handler);
    return status.ok() ? builder.status() : status;
  };

  if (!options.header) {
    FirstRecord first(builder);
    if (absl::Status status = run(first); !status.ok()) return status;
    builder.NameByNumber();
    if (!builder.status().ok()) return builder.status();
  }
  if (absl::Status status = run(builder); !status.ok()) return status;
  if (!builder.has_columns()) {
    return absl::InvalidArgumentError(fmt::format("{}: the file holds no cells", name));
  }
  if (builder.StartLateColumns()) {
    builder.SkipHeaderAgain(options.header);
    if (absl::Status status = run(builder); !status.ok()) return status;
  }
  return builder.Finish();
}

absl::StatusOr<Table> ReadCsv(std::string_view path, const CsvOptions& options) {
  absl::StatusOr<std::string> text = ReadFileOrGzip(path, options.max_bytes);
  if (!text.ok()) return text.status();
  return ParseCsv(*text, options, path);
}

}  // namespace gradus::data
