#pragma once

// The DSL: tensors and what can be done with them. A Tensor is a handle to a value of the graph
// under construction; the builder functions of ir/ops are the operations, and each remembers the
// caller's file and line. Errors are sticky: an operation on a bad tensor gives a bad tensor, and
// Compile returns the first error.

#include <span>
#include <vector>

#include "ir/ops/composite.h"
#include "ir/ops/contraction.h"
#include "ir/ops/convolution.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/indexing.h"
#include "ir/ops/leaf.h"
#include "ir/ops/movement.h"
#include "ir/ops/pooling.h"
#include "ir/ops/random.h"
#include "ir/ops/reduction.h"
#include "ir/type.h"

namespace gradus {

using Tensor = ir::Value;
using ir::Dim;
using ir::DType;
using ir::Operand;
using ir::Shape;
using ir::Type;

using ir::Axes;
using ir::ConvolutionOptions;
using ir::kEnd;
using ir::MatmulOptions;
using ir::PoolingOptions;
using ir::Range1;

using ir::abs;
using ir::acos;
using ir::add;
using ir::argmax;
using ir::asin;
using ir::atan;
using ir::average_pool;
using ir::binary_crossentropy;
using ir::binary_crossentropy_each;
using ir::binary_crossentropy_from_logits;
using ir::binary_crossentropy_from_logits_each;
using ir::broadcast;
using ir::broadcast_to;
using ir::by_phase;
using ir::cast;
using ir::categorical_crossentropy;
using ir::categorical_crossentropy_each;
using ir::categorical_crossentropy_from_logits;
using ir::categorical_crossentropy_from_logits_each;
using ir::clip;
using ir::concat;
using ir::constant;
using ir::convolution;
using ir::cos;
using ir::cosh;
using ir::cosine_similarity;
using ir::cosine_similarity_each;
using ir::count;
using ir::cumsum;
using ir::div;
using ir::einsum;
using ir::elu;
using ir::equal;
using ir::erf;
using ir::exp;
using ir::expand;
using ir::expand_dims;
using ir::expm1;
using ir::floor;
using ir::full_like;
using ir::gather;
using ir::gelu;
using ir::gelu_tanh;
using ir::greater;
using ir::greater_equal;
using ir::hard_sigmoid;
using ir::hinge;
using ir::hinge_each;
using ir::huber;
using ir::huber_each;
using ir::iota;
using ir::kl_divergence;
using ir::kl_divergence_each;
using ir::leaky_relu;
using ir::less;
using ir::less_equal;
using ir::log;
using ir::log1p;
using ir::log_cosh;
using ir::log_cosh_each;
using ir::log_softmax;
using ir::logical_and;
using ir::logical_not;
using ir::logical_or;
using ir::logsumexp;
using ir::matmul;
using ir::max_pool;
using ir::maximum;
using ir::mean_absolute_error;
using ir::mean_absolute_error_each;
using ir::mean_squared_error;
using ir::mean_squared_error_each;
using ir::minimum;
using ir::mul;
using ir::neg;
using ir::norm_l1;
using ir::norm_l2;
using ir::not_equal;
using ir::one_hot;
using ir::pad;
using ir::pad_reflect;
using ir::poisson;
using ir::poisson_each;
using ir::pow;
using ir::prelu;
using ir::random_normal;
using ir::random_uniform;
using ir::reduce_max;
using ir::reduce_mean;
using ir::reduce_min;
using ir::reduce_prod;
using ir::reduce_sum;
using ir::relu;
using ir::reshape;
using ir::rsqrt;
using ir::scalar_like;
using ir::scatter_add;
using ir::scatter_add_along_axis;
using ir::select;
using ir::selu;
using ir::sigmoid;
using ir::sign;
using ir::silu;
using ir::sin;
using ir::sinh;
using ir::slice;
using ir::softmax;
using ir::softplus;
using ir::sparse_categorical_crossentropy;
using ir::sparse_categorical_crossentropy_each;
using ir::sparse_categorical_crossentropy_from_logits;
using ir::sparse_categorical_crossentropy_from_logits_each;
using ir::split;
using ir::sqrt;
using ir::square;
using ir::squared_hinge;
using ir::squared_hinge_each;
using ir::squeeze;
using ir::stack;
using ir::standard_deviation;
using ir::standardize;
using ir::stop_gradient;
using ir::sub;
using ir::take_along_axis;
using ir::tan;
using ir::tanh;
using ir::top_k;
using ir::transpose;
using ir::transposed_convolution;
using ir::variance;
using ir::where;
using ir::zeros_like;

// Sizes that are fixed when a compiled function is called.
inline constexpr Dim kBatch = Dim(ir::Symbol("B"));
inline constexpr Dim kTime = Dim(ir::Symbol("T"));

// d result / d each of `wanted`, as tensors of the same graph, so that they can be differentiated
// again. `result` is a scalar. A wanted tensor that result does not depend on gets zeros.
std::vector<Tensor> Grad(Tensor result, std::span<const Tensor> wanted);
std::vector<Tensor> Grad(Tensor result, std::initializer_list<Tensor> wanted);

}  // namespace gradus
