#pragma once

// A random product: sizes round every threshold of the scheduler, random layouts, prologues,
// epilogues and updates in place, as a graph function and as an independent naive loop in double.

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "ir/module.h"

namespace gradus::fuzz {

struct ProductCase {
  enum class Prologue { kNone, kMask, kScale };
  enum class Epilogue {
    kNone,
    kBias,
    kBiasRelu,
    kResidual,
    kRowScale,
    kUpdate,
    kTwoResults,
    kTanh,
    kMask,
    kColumnSums
  };

  ir::DType dtype = ir::DType::kF32;
  int64_t batch = 0;  // 0: no batch axis
  int64_t m = 1, n = 1, k = 1;
  bool m_symbolic = false, k_symbolic = false;
  // > 0: a second leading axis of A: of its rows, or, if it is transposed, of the sum (as in the
  // gradient of a weight that is used at each step of a sequence).
  int64_t t = 0;
  bool t_symbolic = false;
  bool transpose_a = false, transpose_b = false;
  bool by_op = false;      // transposed by an op of its own rather than by matmul's flags
  bool slice_a = false;    // A is a part of something larger, its last axis reversed
  bool reshape_a = false;  // A comes with its two last axes folded into one
  Prologue prologue_a = Prologue::kNone, prologue_b = Prologue::kNone;
  Epilogue epilogue = Epilogue::kNone;

  static ProductCase Random(std::mt19937_64& random);
  std::string ToString() const;

  // Adds the product to a function, arguments and results included.
  void Build(ir::Function& f) const;
};

// One argument or result with its values.
struct Array {
  std::vector<int64_t> shape;
  std::vector<double> values;  // exact in the case's dtype
  int alias = -1;              // results: the argument whose memory it uses
};

// What a call takes and what it has to give, within `bounds` (one a result element).
struct ProductCall {
  std::vector<Array> arguments, results;
  std::vector<std::vector<double>> bounds;

  // For the sizes of a call: m, k and t where they are symbolic.
  static ProductCall Random(const ProductCase& c, int64_t m, int64_t k, int64_t t,
                            std::mt19937_64& random);
};

}  // namespace gradus::fuzz
