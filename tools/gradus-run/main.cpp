// gradus-run: see tools/driver/run.h.

#include <string>
#include <vector>

#include "tools/driver/run.h"

int main(int argc, char** argv) {
  return gradus::tools::RunRun(std::vector<std::string>(argv + 1, argv + argc),
                               gradus::tools::StandardOutput());
}
