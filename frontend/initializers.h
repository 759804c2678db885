#pragma once

// How parameters start. Drawn by graph code from a seed (see ir/ops/random.h), so that a compiled
// library can initialise itself and every run with a seed gives the same weights.

#include <span>

#include "frontend/tensor.h"
#include "ir/module.h"

namespace gradus {

using ir::Initializer;

Initializer Zeros();
Initializer Ones();
Initializer Constant(double value);
// The elements of a parameter with one axis, a few of them.
Initializer Values(std::span<const double> values);
Initializer RandomUniform(double low, double high);
Initializer RandomNormal(double mean, double deviation);
// Fan-in and fan-out are taken from the shape: [in, out], or [window..., in, out] for convolutions.
Initializer GlorotUniform();  // U(+-sqrt(6 / (in + out))); Glorot and Bengio 2010
Initializer GlorotNormal();   // N(0, 2 / (in + out)), not truncated
Initializer HeUniform();      // U(+-sqrt(6 / in)); He et al. 2015
Initializer HeNormal();       // N(0, 2 / in)
Initializer LecunUniform();   // U(+-sqrt(3 / in)); LeCun et al. 1998
Initializer LecunNormal();    // N(0, 1 / in)
// Rows (or columns, whichever are fewer) are orthonormal, times gain: the polar factor of a normal
// matrix by Newton- Schulz iteration (Higham, "Functions of Matrices", 2008, ch. 8); Saxe et al.
// 2014. Needs two axes.
Initializer Orthogonal(double gain = 1.0);
// The bias of an LSTM's gates i f c o, one axis: 1 in the second quarter, else 0; Jozefowicz et al.
// 2015.
Initializer UnitForgetBias();

// The initial value of a parameter in function `f`; `seed` is an i64 scalar, `stream` tells
// parameters apart. An unknown kind is reported to `f`.
Tensor Initialize(ir::Function& f, const ir::Parameter& parameter, Tensor seed, int64_t stream);

}  // namespace gradus
