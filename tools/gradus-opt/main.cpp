// gradus-opt: see tools/driver/opt.h.

#include "tools/driver/opt.h"

int main(int argc, char** argv) { return gradus::tools::Main(argc, argv, gradus::tools::RunOpt); }
