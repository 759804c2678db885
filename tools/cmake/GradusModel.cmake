# gradus_add_model(NAME SOURCE FILE...|PROGRAM EXECUTABLE [ENTRY ENTRY...] [PREFIX PREFIX] [WEIGHTS embed|file|caller]
#                  [TARGET ARCHITECTURE] [TARGET_CPU NAME...] [SPECIALIZE SYMBOL=SIZE...] [FLAGS FLAG...]
#                  [ARGUMENTS ARGUMENT...])
#
# A library NAME from a program that builds a model: SOURCE is compiled for the machine that builds, and run with the
# path of the file to write (and ARGUMENTS), which it writes with Model::Save. What gradusc makes of that file is a static
# library as any other: target_link_libraries(app PRIVATE NAME) gives app the functions and the folder of NAME.h.
#
#   PROGRAM     in place of SOURCE: an executable of this build, which several models may have
#   ENTRY       what goes in: init forward evaluate train_step save load ... (default all)
#   PREFIX      of all symbols (default NAME); no two models for one TARGET may have the same
#   WEIGHTS     embed: in the library; file: NAME.safetensors beside it; caller (default): neither
#   TARGET      what the library is for (default: what is compiled for), TARGET_CPU: its levels or its processor
#   SPECIALIZE  sizes with code of their own, beside the code for all: B=1
#   FLAGS       more flags of gradusc
#
# While cross-compiling, and in a project without C++, the program is built by a project of its own, with GRADUS_HOST_CXX
# (default: what CMake finds).

# The global property GRADUS_GRADUSC says where gradusc is.
include_guard(GLOBAL)
set_property(GLOBAL PROPERTY GRADUS_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})
set(GRADUS_HOST_CXX "" CACHE FILEPATH "compiler for programs that run while a cross-compiled project is built")

# The architecture that this build compiles for, as gradusc calls it.
function(gradus_target_architecture result)
  string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
  if(processor MATCHES "^(x86_64|amd64)$")
    set(architecture x86-64)
  elseif(processor MATCHES "^(aarch64|arm64)")
    set(architecture aarch64)
  elseif(processor MATCHES "^(riscv64|wasm32)")
    set(architecture ${CMAKE_MATCH_1})
  elseif(processor MATCHES "^(armv7e-?m|cortex-m[47]|thumbv7em)")
    set(architecture armv7e-m)
  else()
    message(FATAL_ERROR "gradus_add_model: there are no libraries for the processor \"${CMAKE_SYSTEM_PROCESSOR}\"; "
      "expected CMAKE_SYSTEM_PROCESSOR x86_64, aarch64, riscv64, armv7e-m or wasm32, or TARGET as an argument")
  endif()
  set(${result} ${architecture} PARENT_SCOPE)
endfunction()

function(gradus_add_model name)
  cmake_parse_arguments(PARSE_ARGV 1 model "" "PREFIX;WEIGHTS;TARGET;PROGRAM" "SOURCE;ENTRY;TARGET_CPU;SPECIALIZE;FLAGS;ARGUMENTS")
  if(model_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "gradus_add_model(${name}): unknown arguments ${model_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT model_SOURCE AND NOT model_PROGRAM)
    message(FATAL_ERROR "gradus_add_model(${name}): expected SOURCE or PROGRAM, the program that saves the model")
  endif()
  if(NOT model_PREFIX)
    set(model_PREFIX ${name})
  endif()
  if(NOT model_TARGET)
    gradus_target_architecture(model_TARGET)
  endif()
  set(owner GRADUS_MODEL_${model_TARGET}_${model_PREFIX})
  get_property(taken GLOBAL PROPERTY ${owner})
  if(taken)
    message(FATAL_ERROR "gradus_add_model(${name}): the prefix ${model_PREFIX} is that of ${taken}; give another PREFIX")
  endif()
  set_property(GLOBAL PROPERTY ${owner} ${name})
  set(flags --target=${model_TARGET} --prefix=${model_PREFIX})
  foreach(option IN ITEMS WEIGHTS ENTRY TARGET_CPU SPECIALIZE)
    if(model_${option})
      string(TOLOWER ${option} flag)
      string(REPLACE _ - flag ${flag})
      list(JOIN model_${option} "," value)
      list(APPEND flags --${flag}=${value})
    endif()
  endforeach()
  set(sources "")
  foreach(source IN LISTS model_SOURCE)
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    list(APPEND sources ${source})
  endforeach()

  # 1. The program, on this machine.
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/gradus/${name})
  file(MAKE_DIRECTORY ${folder})
  if(model_PROGRAM)
    set(program $<TARGET_FILE:${model_PROGRAM}>)
    set(program_dependency ${model_PROGRAM})
  elseif(NOT TARGET Gradus::gradus)
    gradus_host_program(${name}_model "${sources}" ${folder} program)
    set(program_dependency ${program})
  else()
    add_executable(${name}_model EXCLUDE_FROM_ALL ${sources})
    target_link_libraries(${name}_model PRIVATE Gradus::gradus)
    set(program $<TARGET_FILE:${name}_model>)
    set(program_dependency ${name}_model)
  endif()

  # 2. The model and its library. The source is there to have CMake make an archive, which gives way to gradusc's.
  get_property(gradusc GLOBAL PROPERTY GRADUS_GRADUSC)
  set(gradusc_dependency "")
  if(TARGET gradusc)
    set(gradusc_dependency gradusc)
  endif()
  add_custom_command(
    OUTPUT ${folder}/${name}.c ${folder}/lib${name}.a ${folder}/${name}.h
    COMMAND ${program} ${folder}/${name}.gradus ${model_ARGUMENTS}
    COMMAND ${gradusc} ${folder}/${name}.gradus -o ${folder}/lib${name}.a ${flags} ${model_FLAGS} --quiet
    COMMAND ${CMAKE_COMMAND} -E echo "typedef int ${name}_is_in_another_archive$<SEMICOLON>" > ${folder}/${name}.c
    DEPENDS ${program_dependency} ${gradusc_dependency}
    COMMENT "Compiling model ${name} for ${model_TARGET}" VERBATIM)
  add_library(${name} STATIC ${folder}/${name}.c)
  set_target_properties(${name} PROPERTIES PUBLIC_HEADER ${folder}/${name}.h)
  target_include_directories(${name} INTERFACE $<BUILD_INTERFACE:${folder}> $<INSTALL_INTERFACE:include>)
  add_custom_command(TARGET ${name} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -E copy ${folder}/lib${name}.a $<TARGET_FILE:${name}> VERBATIM)
endfunction()

# A program for the machine that builds, by a project of its own; its path goes to `result`.
function(gradus_host_program target sources folder result)
  set(build ${folder}/host)
  set(compiler "")
  if(GRADUS_HOST_CXX)
    set(compiler -DCMAKE_CXX_COMPILER=${GRADUS_HOST_CXX})
  endif()
  list(JOIN sources "\n  " lines)
  get_property(package GLOBAL PROPERTY GRADUS_CMAKE_DIR)
  file(CONFIGURE OUTPUT ${folder}/host_project/CMakeLists.txt @ONLY CONTENT
"cmake_minimum_required(VERSION 3.25)
project(@target@ LANGUAGES CXX)
find_package(Gradus CONFIG REQUIRED PATHS \"@package@\" NO_DEFAULT_PATH)
add_executable(@target@
  @lines@)
target_link_libraries(@target@ PRIVATE Gradus::gradus)
")
  set(environment ${CMAKE_COMMAND} -E env --unset=CC --unset=CXX --unset=CFLAGS --unset=CXXFLAGS --unset=LDFLAGS
    --unset=CMAKE_TOOLCHAIN_FILE)
  add_custom_command(OUTPUT ${build}/${target}
    COMMAND ${environment} ${CMAKE_COMMAND} -S ${folder}/host_project -B ${build} -G ${CMAKE_GENERATOR} ${compiler}
    COMMAND ${environment} ${CMAKE_COMMAND} --build ${build}
    DEPENDS ${sources} ${folder}/host_project/CMakeLists.txt
    COMMENT "Building ${target} for this machine" VERBATIM)
  set(${result} ${build}/${target} PARENT_SCOPE)
endfunction()
