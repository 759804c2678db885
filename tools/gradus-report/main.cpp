// gradus-report: see tools/driver/report.h.

#include "tools/driver/report.h"

int main(int argc, char** argv) {
  return gradus::tools::Main(argc, argv, gradus::tools::RunReport);
}
