# What nearly every source includes is parsed once: a build from nothing takes a third less of the processor.
# On in the preset `release` alone: the others, and tools/tidy, still see an include that a source lacks.
set(common <algorithm> <array> <cmath> <cstdint> <functional> <limits> <map> <memory> <optional> <span> <string>
  <string_view> <utility> <variant> <vector> <absl/container/flat_hash_map.h> <absl/container/inlined_vector.h>
  <absl/status/statusor.h> <absl/strings/str_cat.h> <fmt/format.h>)

# ccache's manual asks for the first of each. g++ 12 takes what is inlined from a precompiled header for ours, and so
# warns of lengths that std::string cannot have.
target_compile_options(gradus_warnings INTERFACE
  "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess;-Wno-stringop-overflow;-Wno-stringop-overread;-Wno-array-bounds>"
  "$<$<COMPILE_LANG_AND_ID:CXX,Clang>:SHELL:-Xclang -fno-pch-timestamp>")

# A header of precompiled headers for targets that are compiled with the same options.
function(gradus_precompiled name)
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp CONTENT "")
  add_library(${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  target_link_libraries(${name} PRIVATE gradus_flags ${absl_base} absl::flat_hash_map fmt::fmt)
  target_precompile_headers(${name} PRIVATE ${ARGN})
endfunction()

# The C++ targets of a folder and the folders in it.
function(gradus_use_precompiled folder)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    get_target_property(own ${target} PRECOMPILE_HEADERS)
    get_target_property(sources ${target} SOURCES)
    set(in_c ${sources})
    list(FILTER in_c INCLUDE REGEX "\\.c$")
    set_source_files_properties(${in_c} DIRECTORY ${folder} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    list(FILTER sources INCLUDE REGEX "\\.cpp$")
    if(type MATCHES "STATIC_LIBRARY|EXECUTABLE" AND NOT own AND sources)
      if(folder MATCHES "^${CMAKE_CURRENT_SOURCE_DIR}/tests")
        # As GTest::gtest has it: a precompiled header is used where all that defines macros is the same.
        target_compile_definitions(${target} PRIVATE GTEST_HAS_PTHREAD=1)
        target_precompile_headers(${target} REUSE_FROM gradus_precompiled_tests)
      else()
        target_precompile_headers(${target} REUSE_FROM gradus_precompiled_sources)
      endif()
    endif()
  endforeach()
  get_property(folders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(inner IN LISTS folders)
    gradus_use_precompiled(${inner})
  endforeach()
endfunction()

gradus_precompiled(gradus_precompiled_sources ${common})
target_precompile_headers(gradus_codegen PRIVATE ${common} <llvm/IR/IRBuilder.h> <llvm/IR/Module.h>)
if(GRADUS_BUILD_TESTS)
  find_package(GTest REQUIRED)
  gradus_precompiled(gradus_precompiled_tests ${common} <gtest/gtest.h> <gmock/gmock.h>)
  target_link_libraries(gradus_precompiled_tests PRIVATE GTest::gtest GTest::gmock)
  target_compile_options(gradus_precompiled_tests PRIVATE $<$<CONFIG:Release>:-O1>)
endif()
gradus_use_precompiled(${CMAKE_CURRENT_SOURCE_DIR})
