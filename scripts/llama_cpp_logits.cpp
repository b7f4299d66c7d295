// Prints what llama.cpp computes for a list of token ids: the reference for our own logits.
//
//     llama_cpp_logits MODEL.gguf [-n GREEDY] [-t THREADS] [-kv f32|f16|q8_0] [-ngl LAYERS] < ids.txt
//
// Reads token ids separated by white space, evaluates them as one batch and prints one JSON object:
// "logits" after the last of them, and "greedy", the GREEDY ids that follow by argmax (ties to the
// lower id), evaluated one at a time. KV cache in f32 and flash attention off unless asked otherwise
// (a quantized KV cache needs flash attention, so q8_0 turns it on).
//
// Build against an unpacked and built llama.cpp, LL being its folder:
//
//     g++ -std=c++17 -O1 -I$LL/include -I$LL/ggml/include scripts/llama_cpp_logits.cpp
//         -L$LL/build/bin -lllama -lggml -lggml-base -Wl,-rpath,$LL/build/bin -o llama_cpp_logits

#include <llama.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

void evaluate(llama_context* context, std::vector<llama_token> tokens) {
  const auto batch = llama_batch_get_one(tokens.data(), static_cast<int32_t>(tokens.size()));
  if (llama_decode(context, batch) != 0) throw std::runtime_error("llama_decode failed");
}

void run(int argc, char** argv) {
  if (argc < 2 || argc % 2 != 0)
    throw std::runtime_error("usage: llama_cpp_logits MODEL [-n N] [-t N] [-kv TYPE] [-ngl N] < ids");
  std::map<std::string, std::string> options{{"-n", "0"}, {"-t", "1"}, {"-kv", "f32"}, {"-ngl", "0"}};
  for (int i = 2; i < argc; i += 2) options.at(argv[i]) = argv[i + 1];
  const std::map<std::string, ggml_type> kv_types{
      {"f32", GGML_TYPE_F32}, {"f16", GGML_TYPE_F16}, {"q8_0", GGML_TYPE_Q8_0}};

  const std::vector<llama_token> prompt{std::istream_iterator<llama_token>(std::cin), {}};
  const int greedy = std::stoi(options["-n"]);
  const auto positions = static_cast<uint32_t>(prompt.size()) + static_cast<uint32_t>(greedy);
  if (prompt.empty()) throw std::runtime_error("no token ids on standard input");

  llama_log_set(
      [](ggml_log_level level, const char* text, void*) {
        if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
      },
      nullptr);
  llama_backend_init();
  auto model_params = llama_model_default_params();
  model_params.n_gpu_layers = std::stoi(options["-ngl"]);
  auto* model = llama_model_load_from_file(argv[1], model_params);
  if (!model) throw std::runtime_error(std::string(argv[1]) + ": cannot load");
  auto params = llama_context_default_params();
  params.n_ctx = std::max(positions, 256u);
  params.n_batch = params.n_ubatch = params.n_ctx;
  params.n_threads = params.n_threads_batch = std::stoi(options["-t"]);
  params.type_k = params.type_v = kv_types.at(options["-kv"]);
  params.flash_attn_type =
      ggml_is_quantized(params.type_k) ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
  auto* context = llama_init_from_model(model, params);
  if (!context) throw std::runtime_error("cannot make a context");

  const auto vocab_size = llama_vocab_n_tokens(llama_model_get_vocab(model));
  evaluate(context, prompt);
  const float* logits = llama_get_logits_ith(context, -1);
  std::printf("{\"logits\": [");
  for (int i = 0; i < vocab_size; ++i) std::printf("%s%.9g", i ? ", " : "", static_cast<double>(logits[i]));
  std::printf("], \"greedy\": [");
  for (int i = 0; i < greedy; ++i) {
    logits = llama_get_logits_ith(context, -1);
    const auto token = static_cast<llama_token>(std::max_element(logits, logits + vocab_size) - logits);
    std::printf("%s%d", i ? ", " : "", token);
    if (i + 1 < greedy) evaluate(context, {token});
  }
  std::printf("]}\n");
  llama_free(context);
  llama_model_free(model);
}

} // namespace

int main(int argc, char** argv) {
  try {
    run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "llama_cpp_logits: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
