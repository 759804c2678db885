// gradus-opt: see tools/driver/opt.h.

#include <string>
#include <vector>

#include "tools/driver/opt.h"

int main(int argc, char** argv) {
  return gradus::tools::RunOpt(std::vector<std::string>(argv + 1, argv + argc),
                               gradus::tools::StandardOutput());
}
