#pragma once

// Value and Node: SSA over tensors. A Node is one instruction, owned by its Function; a Value is a
// handle to one of its results, passed by value.

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/container/inlined_vector.h"
#include "ir/attribute.h"
#include "ir/check.h"
#include "ir/location.h"
#include "ir/type.h"

namespace gradus::ir {

struct OpDef;
class Node;
class Function;

class Value {
 public:
  Value() = default;  // no value; every op on it gives no value, too
  Value(Node* node, int result) : node_(node), result_(result) {}

  explicit operator bool() const { return node_ != nullptr; }
  Node* node() const { return node_; }
  int result() const { return result_; }
  const Type& type() const;
  DType dtype() const { return type().dtype; }
  const Shape& shape() const { return type().shape; }
  int rank() const { return shape().rank(); }
  Function& function() const;
  // True for what an op returns after an error, which the Function remembers (see Function::error).
  bool is_poison() const;
  bool operator==(const Value&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const Value& v) {
    return H::combine(std::move(h), v.node_, v.result_);
  }

 private:
  Node* node_ = nullptr;
  int result_ = 0;
};

class Node {
 public:
  const OpDef& op() const { return *op_; }
  bool is_argument() const;  // op() is kArgument: an argument of the function
  int id() const {
    return id_;
  }  // unique in the function, growing in order of creation; indexes side tables

  std::span<const Value> operands() const { return {operands_.data(), operands_.size()}; }
  Value operand(int i) const { return operands_[static_cast<size_t>(i)]; }
  void set_operand(int i, Value v) { operands_[static_cast<size_t>(i)] = v; }
  int num_operands() const { return static_cast<int>(operands_.size()); }

  std::span<const Type> types() const { return {types_.data(), types_.size()}; }
  const Type& type(int result = 0) const { return types_[static_cast<size_t>(result)]; }
  int num_results() const { return static_cast<int>(types_.size()); }
  Value result(int i = 0) { return Value(this, i); }

  const AttrList& attrs() const { return attrs_; }
  // The attribute of that name, which the op's record lists with kind T.
  template <typename T>
  const T& attr(std::string_view name) const {
    const Attribute* a = FindAttr(name);
    IR_CHECK_MSG(a != nullptr && std::holds_alternative<T>(*a), name);
    return std::get<T>(*a);
  }
  const Attribute* FindAttr(std::string_view name) const;
  void set_attr(std::string_view name, Attribute value);

  const Location& location() const { return location_; }
  Function& function() const { return *function_; }
  const std::string& name() const { return name_; }  // an argument's name; else empty

 private:
  friend class Function;
  Node() = default;
  const OpDef* op_ = nullptr;
  int id_ = 0;
  absl::InlinedVector<Value, 2> operands_;
  absl::InlinedVector<Type, 1> types_;
  AttrList attrs_;
  Location location_;
  Function* function_ = nullptr;
  std::string name_;
};

inline const Type& Value::type() const { return node_->type(result_); }
inline Function& Value::function() const { return node_->function(); }

}  // namespace gradus::ir
