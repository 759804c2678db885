"""Settings of the text tests: *.ir files whose RUN lines call our tools and FileCheck.

%gradus-opt and %gradus-run are the tools of this build; %s, %t and %S are lit's usual ones.
"""

import os
import platform

import lit.formats

config.name = "gradus"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".ir"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.dirname(os.path.abspath(__file__))

for tool in ("gradus-opt", "gradus-run"):
    config.substitutions.append(("%" + tool, os.path.join(config.gradus_tools, tool)))
config.environment["PATH"] = os.pathsep.join(
    [config.gradus_tools, config.llvm_tools, config.environment["PATH"]])
# Apart from the cache of whoever runs the tests.
config.environment["GRADUS_CACHE_DIR"] = os.path.join(config.test_exec_root, "cache")
# So that a failing check prints what it was given.
config.environment["FILECHECK_OPTS"] = "--dump-input=fail"
config.available_features.add(platform.machine().replace("_", "-"))  # x86-64, aarch64
