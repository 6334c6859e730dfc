// SPDX-License-Identifier: MIT
// A CUDA runtime and a cuBLAS that count and run nothing. Linked in their place (nvcc -cudart
// none).
#include "fake_cuda.hpp"

#include <cublasLt.h>
#include <cublas_v2.h>
#include <cxxabi.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <set>
#include <utility>

namespace test {
FakeCuda& fake_cuda() {
  static FakeCuda fake;
  return fake;
}
}  // namespace test

namespace {

using test::fake_cuda;

bool capturing = false;
std::set<cudaStream_t>& streams() {
  static std::set<cudaStream_t> alive;
  return alive;
}
cudaStream_t blas_stream = nullptr;  // of the last handle
cudaError_t last_error = cudaSuccess;
std::map<const void*, std::string>& kernel_names() {
  static std::map<const void*, std::string> names;
  return names;
}
struct Configuration {
  dim3 grid, block;
  std::size_t shared;
  cudaStream_t stream;
} configuration;

template <class Handle>
cudaError_t make(Handle* handle) {
  *handle = reinterpret_cast<Handle>(std::malloc(1));
  ++fake_cuda().alive;
  return cudaSuccess;
}
template <class Handle>
cudaError_t destroy(Handle handle) {
  std::free(reinterpret_cast<void*>(handle));
  --fake_cuda().alive;
  return cudaSuccess;
}
/// Notes a call on a stream that nobody made, the legacy default stream among them.
cudaError_t on(cudaStream_t stream, const char* call) {
  if (streams().count(stream) == 0)
    fake_cuda().wrong.push_back(std::string(call) + " on no stream of the program's");
  return fake_cuda().device_fault;
}
void forbid_in_capture(const char* call) {
  if (capturing) fake_cuda().wrong.push_back(std::string(call) + " while capturing");
}
cudaError_t wait(const char* call) {
  forbid_in_capture(call);
  ++fake_cuda().waits;
  return fake_cuda().device_fault;
}
std::string demangled(const char* name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  const std::string readable = status == 0 ? text : name;
  std::free(text);
  return readable;
}
cudaError_t launch(const void* kernel, dim3 grid, dim3 block, cudaStream_t stream) {
  if (const cudaError_t fault = on(stream, "a launch"); fault != cudaSuccess)
    return last_error = fault;
  if (fake_cuda().launch_fault != cudaSuccess) return last_error = fake_cuda().launch_fault;
  fake_cuda().enqueued.push_back("kernel <<<" + std::to_string(grid.x) + ", " +
                                 std::to_string(block.x) + ">>> " + kernel_names()[kernel]);
  return cudaSuccess;
}

/// out = alpha x y + beta out, by columns.
struct Product {
  bool x_plain, y_plain;
  int m, n, k, x_stride, y_stride, out_stride;

  std::string text(const char* by) const {
    char line[128];
    std::snprintf(line, sizeof line, "product%s %c%c [%d, %d] over %d, strides %d %d %d", by,
                  x_plain ? 'N' : 'T', y_plain ? 'N' : 'T', m, n, k, x_stride, y_stride,
                  out_stride);
    return line;
  }
  /// What cuBLAS takes: no stride below the stored column's length.
  bool sound() const {
    return x_stride >= (x_plain ? m : k) && y_stride >= (y_plain ? k : n) && out_stride >= m;
  }
  float x_at(const float* x, int row, int i) const {
    return x[x_plain ? i * x_stride + row : row * x_stride + i];
  }
  void run(const float* alpha, const float* x, const float* y, const float* beta,
           float* out) const {
    for (int c = 0; c < n; ++c)
      for (int r = 0; r < m; ++r) {
        float total = 0;
        for (int i = 0; i < k; ++i)
          total += x_at(x, r, i) * y[y_plain ? c * y_stride + i : i * y_stride + c];
        float& at = out[c * out_stride + r];
        at = *alpha * total + (*beta == 0 ? 0 : *beta * at);
      }
  }
};

// What cublasLt's opaque handles stand for here.
struct Description {
  cublasOperation_t x = CUBLAS_OP_N, y = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  float* vector = nullptr;
};
struct Stored {
  int rows, columns, stride;
};

}  // namespace

extern "C" {

// --- what nvcc's code calls
// -----------------------------------------------------------------------
void** __cudaRegisterFatBinary(void*) {
  static void* handle = nullptr;
  return &handle;
}
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
void __cudaRegisterVar(void**, char*, char*, const char*, int, std::size_t, int, int) {}
void __cudaRegisterFunction(void**, const char* host, char*, const char* name, int, void*, void*,
                            void*, void*, int*) {
  kernel_names()[host] = demangled(name);
}
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, std::size_t shared,
                                     cudaStream_t stream) {
  configuration = {grid, block, shared, stream};
  return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* shared, void* stream) {
  *grid = configuration.grid;
  *block = configuration.block;
  *shared = configuration.shared;
  *static_cast<cudaStream_t*>(stream) = configuration.stream;
  return cudaSuccess;
}
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* host) {
  *kernel = reinterpret_cast<cudaKernel_t>(const_cast<void*>(host));
  return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void**, std::size_t,
                               cudaStream_t stream) {
  return launch(reinterpret_cast<const void*>(kernel), grid, block, stream);
}
cudaError_t cudaLaunchKernel(const void* kernel, dim3 grid, dim3 block, void**, std::size_t,
                             cudaStream_t stream) {
  return launch(kernel, grid, block, stream);
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* how, const void* kernel, void**) {
  return launch(kernel, how->gridDim, how->blockDim, how->stream);
}
char __cudaInitModule(void**) { return 0; }

// --- the runtime
// ----------------------------------------------------------------------------------
cudaError_t cudaGetDeviceCount(int* count) {
  *count = fake_cuda().devices;
  return fake_cuda().count_status;
}
cudaError_t cudaSetDevice(int) { return cudaSuccess; }
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = fake_cuda().driver;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = fake_cuda().runtime;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrComputeCapabilityMajor    ? 9
           : attribute == cudaDevAttrComputeCapabilityMinor  ? 0
           : attribute == cudaDevAttrMultiProcessorCount     ? 132
           : attribute == cudaDevAttrMaxThreadsPerBlock      ? 1024
           : attribute == cudaDevAttrMaxSharedMemoryPerBlock ? 49152
           : attribute == cudaDevAttrMaxGridDimX             ? 2147483647
                                                             : 32;
  return cudaSuccess;
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  *attributes = {};
  attributes->maxThreadsPerBlock = 1024;
  attributes->numRegs = 32;
  attributes->ptxVersion = attributes->binaryVersion = 90;
  return cudaSuccess;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void*, int,
                                                                   std::size_t, unsigned) {
  *blocks = 4;
  return cudaSuccess;
}
const char* cudaGetErrorName(cudaError_t status) {
  return status == cudaErrorIllegalAddress           ? "cudaErrorIllegalAddress"
         : status == cudaErrorLaunchOutOfResources   ? "cudaErrorLaunchOutOfResources"
         : status == cudaErrorNoKernelImageForDevice ? "cudaErrorNoKernelImageForDevice"
                                                     : "cudaErrorOfTheFake";
}
const char* cudaGetErrorString(cudaError_t) { return "the fake's words for it"; }
cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *free = fake_cuda().free_bytes;
  *total = fake_cuda().total_bytes;
  return cudaSuccess;
}
cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps*) { return make(pool); }
cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) { return destroy(pool); }
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
cudaError_t cudaMallocFromPoolAsync(void** memory, std::size_t bytes, cudaMemPool_t, cudaStream_t) {
  if (bytes > fake_cuda().free_bytes) return cudaErrorMemoryAllocation;
  ++fake_cuda().allocations;
  ++fake_cuda().alive;
  *memory = ::operator new (bytes, std::align_val_t{256});
  std::memset(*memory, 0xff, bytes);  // as reused memory may be
  return cudaSuccess;
}
cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  on(stream, "cudaFreeAsync");
  ++fake_cuda().frees;
  --fake_cuda().alive;
  ::operator delete (memory, std::align_val_t{256});
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
  forbid_in_capture("cudaMallocHost");
  ++fake_cuda().allocations;
  ++fake_cuda().alive;
  *memory = std::malloc(bytes);
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* memory) {
  --fake_cuda().alive;
  std::free(memory);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  forbid_in_capture("a copy from or to the host");
  if (const cudaError_t fault = on(stream, "cudaMemcpyAsync"); fault != cudaSuccess) return fault;
  if (kind == cudaMemcpyHostToDevice) ++fake_cuda().uploads;
  if (kind == cudaMemcpyDeviceToHost) ++fake_cuda().downloads;
  if (!capturing) std::memcpy(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  if (const cudaError_t fault = on(stream, "cudaMemsetAsync"); fault != cudaSuccess) return fault;
  fake_cuda().enqueued.push_back("memset " + std::to_string(bytes));
  if (!capturing) std::memset(to, value, bytes);
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  make(stream);
  streams().insert(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  streams().erase(stream);
  return destroy(stream);
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  on(stream, "cudaStreamSynchronize");
  return wait("cudaStreamSynchronize");
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return make(event); }
cudaError_t cudaEventDestroy(cudaEvent_t event) { return destroy(event); }
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t stream) {
  return on(stream, "cudaEventRecord");
}
cudaError_t cudaEventSynchronize(cudaEvent_t) { return wait("cudaEventSynchronize"); }
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  on(stream, "cudaStreamBeginCapture");
  capturing = true;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  on(stream, "cudaStreamEndCapture");
  capturing = false;
  return make(graph);
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t, unsigned long long) {
  ++fake_cuda().graphs;
  return make(executable);
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t stream) {
  ++fake_cuda().graph_launches;
  return on(stream, "cudaGraphLaunch");
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return destroy(graph); }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) { return destroy(executable); }

// --- cuBLAS
// ---------------------------------------------------------------------------------------
cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  make(handle);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  destroy(handle);
  return CUBLAS_STATUS_SUCCESS;
}
const char* cublasGetStatusString(cublasStatus_t) { return "the fake's words for it"; }
cublasStatus_t cublasSetStream_v2(cublasHandle_t, cudaStream_t stream) {
  blas_stream = stream;
  fake_cuda().enqueued.push_back("cublasSetStream");
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t, void*, std::size_t) {
  fake_cuda().enqueued.push_back("cublasSetWorkspace");
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSgemm_v2(cublasHandle_t, cublasOperation_t x_order, cublasOperation_t y_order,
                              int m, int n, int k, const float* alpha, const float* x, int x_stride,
                              const float* y, int y_stride, const float* beta, float* out,
                              int out_stride) {
  const Product product{
      x_order == CUBLAS_OP_N, y_order == CUBLAS_OP_N, m, n, k, x_stride, y_stride, out_stride};
  fake_cuda().enqueued.push_back(product.text(""));
  on(blas_stream, "cublasSgemm");
  if (!product.sound()) return CUBLAS_STATUS_INVALID_VALUE;
  if (!capturing) product.run(alpha, x, y, beta, out);
  return CUBLAS_STATUS_SUCCESS;
}

// --- cublasLt
// -------------------------------------------------------------------------------------
cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  make(handle);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  destroy(handle);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* made, cublasComputeType_t,
                                        cudaDataType_t) {
  *made = reinterpret_cast<cublasLtMatmulDesc_t>(new Description);
  ++fake_cuda().alive;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t made) {
  delete reinterpret_cast<Description*>(made);
  --fake_cuda().alive;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t made,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, std::size_t bytes) {
  Description& what = *reinterpret_cast<Description*>(made);
  if (attribute == CUBLASLT_MATMUL_DESC_TRANSA) std::memcpy(&what.x, value, bytes);
  if (attribute == CUBLASLT_MATMUL_DESC_TRANSB) std::memcpy(&what.y, value, bytes);
  if (attribute == CUBLASLT_MATMUL_DESC_EPILOGUE) std::memcpy(&what.epilogue, value, bytes);
  if (attribute == CUBLASLT_MATMUL_DESC_BIAS_POINTER) std::memcpy(&what.vector, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* made, cudaDataType,
                                          std::uint64_t rows, std::uint64_t columns,
                                          std::int64_t stride) {
  *made =
      reinterpret_cast<cublasLtMatrixLayout_t>(new Stored{int(rows), int(columns), int(stride)});
  ++fake_cuda().alive;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t made) {
  delete reinterpret_cast<Stored*>(made);
  --fake_cuda().alive;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* made) {
  make(made);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t made) {
  destroy(made);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t,
                                                    cublasLtMatmulPreferenceAttributes_t,
                                                    const void*, std::size_t) {
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatmulPreference_t, int,
                                              cublasLtMatmulHeuristicResult_t*, int* count) {
  ++fake_cuda().plans;
  *count = fake_cuda().has_plans ? 1 : 0;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t made, const void* alpha,
                              const void* x, cublasLtMatrixLayout_t x_layout, const void* y,
                              cublasLtMatrixLayout_t y_layout, const void* beta, const void*,
                              cublasLtMatrixLayout_t, void* out, cublasLtMatrixLayout_t out_layout,
                              const cublasLtMatmulAlgo_t*, void*, std::size_t,
                              cudaStream_t stream) {
  on(stream, "cublasLtMatmul");
  const Description& what = *reinterpret_cast<Description*>(made);
  const Stored &a = *reinterpret_cast<Stored*>(x_layout), &b = *reinterpret_cast<Stored*>(y_layout),
               &d = *reinterpret_cast<Stored*>(out_layout);
  const bool x_plain = what.x == CUBLAS_OP_N, y_plain = what.y == CUBLAS_OP_N;
  const int k = x_plain ? a.columns : a.rows;
  const Product product{x_plain, y_plain, d.rows, d.columns, k, a.stride, b.stride, d.stride};
  const bool gradient = what.epilogue == CUBLASLT_EPILOGUE_BGRADA;
  const bool relu = what.epilogue == CUBLASLT_EPILOGUE_RELU_BIAS;
  fake_cuda().enqueued.push_back(product.text(gradient ? ", bias gradient,"
                                              : relu   ? ", bias, ReLU,"
                                                       : ", bias,"));
  const bool fits = (x_plain ? a.rows : a.columns) == d.rows &&
                    (y_plain ? b.columns : b.rows) == d.columns &&
                    (y_plain ? b.rows : b.columns) == k;
  if (!product.sound() || !fits || what.vector == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (capturing) return CUBLAS_STATUS_SUCCESS;
  const float* left = static_cast<const float*>(x);
  float* to = static_cast<float*>(out);
  product.run(static_cast<const float*>(alpha), left, static_cast<const float*>(y),
              static_cast<const float*>(beta), to);
  for (int r = 0; r < d.rows; ++r) {
    float total = 0;
    for (int i = 0; gradient && i < k; ++i) total += product.x_at(left, r, i);
    if (gradient) what.vector[r] = total;
    for (int c = 0; !gradient && c < d.columns; ++c) {
      float& at = to[c * d.stride + r];
      at += what.vector[r];
      if (relu && at < 0) at = 0;
    }
  }
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
