// gradusc: see tools/driver/make_library.h.

#include "tools/driver/make_library.h"

int main(int argc, char** argv) {
  return gradus::tools::Main(argc, argv, gradus::tools::RunGradusc);
}
