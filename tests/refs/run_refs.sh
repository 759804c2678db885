#!/bin/sh
# usage: run_refs.sh GRADUS_REFS FOLDER SCRATCH DTYPE: unpacks FOLDER/refs.tar.xz and runs the cases that must pass.
# 77 (skipped) where there is no such folder.
set -e
if [ ! -f "$2/refs.tar.xz" ]; then
  echo "skipped: no reference numbers at $2"
  exit 77
fi
scratch=$(mktemp -d "$3/refs.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
tar -xJf "$2/refs.tar.xz" -C "$scratch"
"$1" "$scratch/refs" --dtype="$4"
