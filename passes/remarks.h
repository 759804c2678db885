#pragma once

// What a pass decided and why, a line each, for people who look for speed.
//
//   mlp.cpp:12:7: remark: @hidden_matmul_select: product M=B N=512 K=784 in tiles of 6x4 vectors
//   (wide), columns first; A direct, B direct; 1 store in the tile's epilogue [-Rpass=schedule]

#include <span>
#include <string>
#include <string_view>

#include "ir/module.h"

namespace gradus::passes {

// The passes that there are remarks of.
std::span<const std::string_view> RemarkingPasses();
// What the pass left in the module, one of RemarkingPasses; "" where it did not run.
std::string Remarks(const ir::Module& module, std::string_view pass);

}  // namespace gradus::passes
