#pragma once

// Pictures of what training did: one HTML file that needs nothing else, neither a network nor
// scripts. Equal histories give equal bytes.

#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "frontend/training/history.h"

namespace gradus {

// The page for one or more histories, compared in the same charts. `names` tell them apart, one a
// history, and may be left out: then the names of the models are used. Names that come twice are
// numbered.
std::string ReportHtml(std::span<const History> histories, std::span<const std::string> names = {});

// Writes it beside `path` and renames it, so that a reader sees the old report or the new one.
absl::Status WriteReport(std::span<const History> histories, std::string_view path,
                         std::span<const std::string> names = {});

}  // namespace gradus
