// Chat templates of well-known families, for models whose file has none: written for kern, and for plain conversations
// only. Those that take no system message put its text in front of the first user's.
#pragma once

#include <string_view>

namespace kern {

struct BuiltinTemplate {
  std::string_view name;
  std::string_view source;
};

inline constexpr BuiltinTemplate builtin_templates[] = {
    {"alpaca", R"({% for m in messages %}
{% if m.role == 'user' %}
{{ '### Instruction:\n' + m.content + '\n\n' }}
{%- elif m.role == 'assistant' %}
{{ '### Response:\n' + m.content + eos_token + '\n\n' }}
{%- else %}
{{ m.content + '\n\n' }}
{%- endif %}
{% endfor %}
{% if add_generation_prompt %}
{{ '### Response:\n' }}
{%- endif %})"},
    {"chatml", R"({% for m in messages %}
{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}
{%- endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant\n' }}
{%- endif %})"},
    {"deepseek", R"({{ bos_token }}
{%- for m in messages %}
{% if m.role == 'user' %}
{{ '<｜User｜>' + m.content }}
{%- elif m.role == 'assistant' %}
{{ '<｜Assistant｜>' + m.content + '<｜end▁of▁sentence｜>' }}
{%- else %}
{{ m.content }}
{%- endif %}
{% endfor %}
{% if add_generation_prompt %}
{{ '<｜Assistant｜>' }}
{%- endif %})"},
    {"gemma", R"({{ bos_token }}
{%- set ns = namespace(system='') %}
{% for m in messages %}
{% if m.role == 'system' %}
{% set ns.system = m.content + '\n\n' %}
{% else %}
{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' + ns.system + (m.content | trim) + '<end_of_turn>\n' }}
{%- set ns.system = '' %}
{% endif %}
{% endfor %}
{% if add_generation_prompt %}
{{ '<start_of_turn>model\n' }}
{%- endif %})"},
    {"llama2", R"({% set ns = namespace(system='') %}
{% for m in messages %}
{% if m.role == 'system' %}
{% set ns.system = '<<SYS>>\n' + m.content + '\n<</SYS>>\n\n' %}
{% elif m.role == 'user' %}
{{ bos_token + '[INST] ' + ns.system + (m.content | trim) + ' [/INST]' }}
{%- set ns.system = '' %}
{% else %}
{{ ' ' + (m.content | trim) + ' ' + eos_token }}
{%- endif %}
{% endfor %})"},
    {"llama3", R"({{ bos_token }}
{%- for m in messages %}
{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + (m.content | trim) + '<|eot_id|>' }}
{%- endfor %}
{% if add_generation_prompt %}
{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %})"},
    {"mistral", R"({{ bos_token }}
{%- set ns = namespace(system='') %}
{% for m in messages %}
{% if m.role == 'system' %}
{% set ns.system = m.content + '\n\n' %}
{% elif m.role == 'user' %}
{{ '[INST] ' + ns.system + m.content + ' [/INST]' }}
{%- set ns.system = '' %}
{% else %}
{{ ' ' + m.content + eos_token }}
{%- endif %}
{% endfor %})"},
    {"phi3", R"({% for m in messages %}
{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}
{%- endfor %}
{% if add_generation_prompt %}
{{ '<|assistant|>\n' }}
{%- endif %})"},
    {"zephyr", R"({% for m in messages %}
{{ '<|' + m.role + '|>\n' + m.content + eos_token + '\n' }}
{%- endfor %}
{% if add_generation_prompt %}
{{ '<|assistant|>\n' }}
{%- endif %})"},
};

} // namespace kern
