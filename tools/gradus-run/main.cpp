// gradus-run: see tools/driver/run.h.

#include "tools/driver/run.h"

int main(int argc, char** argv) { return gradus::tools::Main(argc, argv, gradus::tools::RunRun); }
