#include "examples/electricity_theft/dataset.h"

#include <vector>

#include "examples/electricity_theft/synthetic_meters.h"
#include "fmt/format.h"
#include "frontend/data/csv.h"
#include "frontend/data/scaling.h"
#include "frontend/data/split.h"
#include "frontend/data/table.h"
#include "frontend/data/windows.h"

namespace gradus::electricity_theft {
namespace {

absl::StatusOr<data::Table> ReadTable(const std::string& path) {
  data::CsvOptions options;
  options.text_columns = {"CUSTOMER"};
  if (!path.empty()) return data::ReadCsv(path, options);
  auto text = MakeMetersCsv();
  if (!text.ok()) return text.status();
  return data::ParseCsv(*text, options, "synthetic meters");
}

absl::StatusOr<data::Split> MakeSplit(const DataOptions& options, std::span<const double> labels) {
  if (options.train_rows.empty() != options.test_rows.empty()) {
    return absl::InvalidArgumentError(
        "--train_rows and --test_rows belong together; give both or neither");
  }
  if (!options.train_rows.empty()) {
    return data::SplitFromNpy(options.train_rows, options.test_rows,
                              static_cast<int64_t>(labels.size()));
  }
  return data::StratifiedSplit(labels, options.test_fraction, options.seed);
}

absl::StatusOr<data::Dataset> MakeDataset(absl::StatusOr<runtime::Tensor> x,
                                          const std::vector<float>& answers) {
  if (!x.ok()) return x.status();
  auto y = runtime::Tensor::FromVector<float>({static_cast<int64_t>(answers.size()), 1}, answers);
  if (!y.ok()) return y.status();
  return data::Dataset::Of({"x", *std::move(x)}, {"theft", *std::move(y)});
}

std::vector<float> Answers(std::span<const double> labels, std::span<const int64_t> rows) {
  std::vector<float> answers;
  for (const int64_t row : rows)
    answers.push_back(static_cast<float>(labels[static_cast<size_t>(row)]));
  return answers;
}

absl::Status CheckLabels(std::span<const double> labels, const std::string& source) {
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == 0 || labels[i] == 1) continue;
    return absl::InvalidArgumentError(
        fmt::format("{}: FLAG of customer {} is {}, expected 0 (honest) or 1 (thief)", source,
                    i + 1, labels[i]));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MeterData> LoadMeters(const DataOptions& options) {
  MeterData out;
  out.source = options.csv.empty() ? "synthetic customers" : options.csv;
  auto table = ReadTable(options.csv);
  if (!table.ok()) return table.status();
  for (const char* column : {"CUSTOMER", "FLAG"}) {
    if (!table->Has(column)) {
      return absl::InvalidArgumentError(
          fmt::format("{}: there is no column {}; expected CUSTOMER, FLAG and numeric columns",
                      out.source, column));
    }
  }
  auto numeric = table->Drop({"CUSTOMER"});
  if (numeric.ok()) numeric = numeric->ToNumeric(/*coerce=*/true);
  if (!numeric.ok()) return numeric.status();
  auto flags = numeric->Numbers("FLAG");
  if (!flags.ok()) return flags.status();
  const std::vector<double> labels(flags->begin(), flags->end());
  if (absl::Status s = CheckLabels(labels, out.source); !s.ok()) return s;
  auto months = numeric->Drop({"FLAG"});
  if (!months.ok()) return months.status();
  const data::Table filled = months->FillMissing(0);
  out.months = static_cast<int64_t>(filled.columns().size());
  if (out.months == 0) {
    return absl::InvalidArgumentError(
        fmt::format("{}: there is no column of readings beside CUSTOMER and FLAG", out.source));
  }
  out.customers = static_cast<int64_t>(labels.size());
  for (const double l : labels) out.thieves += l == 1 ? 1 : 0;

  auto split = MakeSplit(options, labels);
  if (!split.ok()) return split.status();
  auto train_rows = filled.Rows(split->train);
  auto test_rows = filled.Rows(split->test);
  if (!train_rows.ok()) return train_rows.status();
  if (!test_rows.ok()) return test_rows.status();
  out.train = {*std::move(train_rows), Answers(labels, split->train)};
  out.test = {*std::move(test_rows), Answers(labels, split->test)};
  return out;
}

absl::StatusOr<TrainAndTest> MeterData::Show(View view) const {
  const auto show = [&](const Customers& part) -> absl::StatusOr<data::Dataset> {
    if (view != View::kStandardised) {
      auto rows = MakeDataset(part.months.ToTensor(), part.answers);
      if (!rows.ok() || view == View::kRaw) return rows;
      return data::CreateSequences(*rows, kWindow);
    }
    const auto scaler = data::Scaler::FitStandard(train.months);
    if (!scaler.ok()) return scaler.status();
    const auto scaled = scaler->Apply(part.months);
    if (!scaled.ok()) return scaled.status();
    return MakeDataset(scaled->ToTensor(), part.answers);
  };
  auto to_train = show(train), to_test = show(test);
  if (!to_train.ok()) return to_train.status();
  if (!to_test.ok()) return to_test.status();
  return TrainAndTest{*std::move(to_train), *std::move(to_test)};
}

}  // namespace gradus::electricity_theft
