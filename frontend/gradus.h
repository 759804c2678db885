#pragma once

// All of the front end: what a program that uses Gradus includes.

#include "frontend/activations.h"
#include "frontend/clipping.h"
#include "frontend/compile.h"
#include "frontend/convolution_layers.h"
#include "frontend/data/batches.h"
#include "frontend/data/csv.h"
#include "frontend/data/scaling.h"
#include "frontend/data/split.h"
#include "frontend/data/table.h"
#include "frontend/layers.h"
#include "frontend/losses.h"
#include "frontend/metrics.h"
#include "frontend/model.h"
#include "frontend/normalization.h"
#include "frontend/optimizers.h"
#include "frontend/pooling_layers.h"
#include "frontend/regularization.h"
#include "frontend/tensor.h"
#include "frontend/trainer.h"
