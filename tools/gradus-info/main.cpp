// gradus-info: see tools/driver/info.h.

#include "tools/driver/info.h"

int main(int argc, char** argv) { return gradus::tools::Main(argc, argv, gradus::tools::RunInfo); }
