// gradus-bench: see tools/bench/bench.h.

#include "tools/bench/bench.h"

int main(int argc, char** argv) { return gradus::tools::Main(argc, argv, gradus::tools::RunBench); }
