#pragma once

// Pieces of C as text: types, sizes, lists, comments.

#include <string>
#include <string_view>
#include <vector>

#include "ir/loop/size.h"
#include "ir/type.h"

namespace gradus {

// The type of an element in C.
std::string_view CType(ir::DType dtype);
// "f32[batch, 12]".
std::string TypeText(const ir::Type& type);
// A size as a constant expression; symbols are called by SizeName.
std::string SizeExpression(const loop::Maximum& size);
// "a, b, c" over lines of 100 columns that begin with `indent`.
std::string Wrapped(const std::vector<std::string>& items, const std::string& indent,
                    std::string_view first, std::string_view last);
// Names of other people in a comment: none ends it, or its line.
std::string CommentText(std::string_view name);

}  // namespace gradus
