#!/usr/bin/env python3
"""Render small templates with the environment of transformers' apply_chat_template.

usage: make_template_fixtures.py    writes tests/data/templates/NAME.json: {"variables": {...}, "cases":
    [{"template": ..., "output": ...}]}, with "error" instead of "output" where it raises; and every third template to
    tests/data/template/corpus, where the fuzz target begins.

A template is a line below; ^ stands for a newline in it.

Needs transformers and jinja2. The clock is fixed: strftime_now answers for 2026-01-02 03:04:05.
"""
import datetime
import json
import pathlib

from transformers.utils import chat_template_utils

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests/data/templates"
CORPUS = FOLDER.parent / "template/corpus"

MESSAGES = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": " Hi <b>\n"},
            {"role": "assistant", "content": "Hello!", "tool_calls": [{"name": "add", "arguments": {"a": 1, "b": [2.5, None]}}]},
            {"role": "user", "content": [{"type": "text", "text": "na\u00efve \U0001f999"}, {"type": "image"}]}]
VARIABLES = {"messages": MESSAGES, "numbers": [3, 1, 2], "words": ["b", "A", "c", "a"], "text": "Hello, World", "empty": "",
             "mapping": {"b": 1, "a": "x", "C": None}, "people": [{"name": "Ann", "age": 3}, {"name": "bob", "age": 1},
             {"name": "Cid", "age": 3}], "yes": True, "no": False, "nothing": None, "number": 7, "real": 2.5,
             "uni": "\u00c4pfel \u00fcber \u4f60\u597d\U0001f999", "nested": {"list": [[1, 2], [3]], "dict": {"x": {"y": "z"}}}}

LEXING = r"""
a
a^
a^^
^a^
a {{- 'b' -}} c
a {{ 'b' }} c
a ^ {{- 'b' -}} ^ c
{% if yes %}^x^{% endif %}^y
  {% if yes %}^  x^  {% endif %}^y
a  {% if yes %}x{% endif %}
{# a #}^b
  {# a #}  ^b
  {#- a -#}  ^b
a^  {#+ a +#}^b
  {%+ if yes %}x{% endif +%}^y
 {%- if yes -%} x {%- endif -%} y
{{ 1 }}^  {% set x = 2 %}  ^{{ x }}
{{ 1 }}  {% set x = 2 %}{{ x }}
{% raw %}{{ x }}{% if %}{% endraw %}
a {%- raw -%}  {{ x }} {%- endraw -%}  b
{%- raw %}^ x^{% endraw %}^y
{{ "a\nb\t\"c\" \\ \x41 \u00e9 \101 \q" }}
{{ 'it''s' "joined" }}
{{ "{{ }}" }}{{ '%}' }}
{{ {'a': {'b': 1}} }}
{{ {'a':{'b':1}}}}
{{ 1_000 }} {{ 0x1F }} {{ 0b11 }} {{ 0o17 }} {{ 1.5e3 }} {{ 1e5 }} {{ 2.0 }}
{{ 1 }
{{
{%
{# a
{% raw %}a
{{ 'a }}
{{ a b }}
{{ ( }}
{{ (] }}
{{ $ }}
{{ a ! b }}
{% if %}{% endif %}
{% endif %}
{% if yes %}
{% for %}{% endfor %}
{% nothing %}
{% else %}
{{ }}
{{ 1 if }}
} }} %} #}
{ { % # {a
{{ true }}{{ True }}{{ none }}{{ None }}{{ false }}{{ False }}
{% set true = 1 %}
{{ text.0 }}{{ numbers.1 }}
{{ "a
b" }}
{{- 1 -}}^^{{- 2 }}
{{ 1 -}}^ x^ {{+ 1 }}
"""

STATEMENTS = r"""
{% if no %}a{% elif yes %}b{% else %}c{% endif %}
{% if no %}a{% elif no %}b{% else %}c{% endif %}
{% if nothing or missing or empty or not numbers %}a{% endif %}b
{% for n in numbers %}{{ n }}{% if not loop.last %}, {% endif %}{% endfor %}
{% for n in numbers %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }} {% endfor %}
{% for n in [] %}x{% else %}none{% endfor %}
{% for n in numbers if n > 5 %}x{% else %}none{% endfor %}
{% for n in numbers if n != 1 %}{{ loop.index }}:{{ n }} {% endfor %}
{% for n in numbers %}{{ loop.previtem }}-{{ n }}-{{ loop.nextitem }} {% endfor %}
{% for n in numbers %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }} {% endfor %}
{% for n in [1, 1, 2, 2, 1] %}{{ loop.changed(n) }} {% endfor %}
{% for n in numbers %}{{ loop.cycle('a', 'b') }}{% endfor %}
{% for a, b in [(1, 2), [3, 4]] %}{{ a }}{{ b }} {% endfor %}
{% for k, v in mapping.items() %}{{ k }}={{ v }} {% endfor %}
{% for k, v in mapping | items %}{{ k }}={{ v }} {% endfor %}
{% for k, v in mapping | dictsort %}{{ k }}={{ v }} {% endfor %}
{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% for c in 'h\u00e9y' %}[{{ c }}]{% endfor %}
{% for k in mapping %}{{ k }}{% endfor %}
{% for x in missing %}a{% else %}b{% endfor %}
{% for x in nothing %}a{% endfor %}
{% for x in 5 %}a{% endfor %}
{% for n in numbers %}{% if n == 1 %}{% continue %}{% endif %}{{ n }}{% endfor %}
{% for n in numbers %}{% if n == 1 %}{% break %}{% endif %}{{ n }}{% endfor %}
{% for n in numbers %}{% for m in numbers %}{% if m == 2 %}{% break %}{% endif %}{{ n }}{{ m }} {% endfor %}{% endfor %}
{% break %}
{% for n in nested.list recursive %}{% if n is sequence %}[{{ loop(n) }}]{% else %}{{ n }}{{ loop.depth }}{% endif %}{% endfor %}
{% for n in numbers %}{{ loop([1]) }}{% endfor %}
{% set x = 1 %}{% for n in numbers %}{{ x }}{% set x = n %}{{ x }}{% endfor %}{{ x }}
{% set x = 1 %}{% if yes %}{% set x = 2 %}{% endif %}{{ x }}
{% set ns = namespace(x=0, y='a') %}{% for n in numbers %}{% set ns.x = ns.x + n %}{% endfor %}{{ ns.x }}{{ ns.y }}{{ ns.z }}
{% set ns = namespace() %}{% set ns.a = 1 %}{% set ns.a = ns.a + 1 %}{{ ns.a }}
{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns.b }}{{ ns['a'] }}
{% set ns = namespace() %}{% set ns._x = 1 %}
{% set mapping.x = 1 %}
{% set missing.x = 1 %}
{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% set a = 1, 2 %}{{ a }}
{% set ns = namespace() %}{% set ns.a, b = 1, 2 %}{{ ns.a }}{{ b }}
{% set x %}a{{ 1 }}b{% endset %}[{{ x }}]
{% set x | upper | replace('A', 'c') %}a{{ 1 }}b{% endset %}[{{ x }}]
{% set x %}{% set y = 1 %}{% endset %}{{ y }}
{% macro m(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, c=3) }} {{ m(a=4, b=5) }} {{ m() }}
{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}
{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}
{% macro m(a) %}({{ caller() }}{{ a }}){% endmacro %}{% call m(1) %}x{{ number }}{% endcall %}
{% macro m() %}{{ caller('p', q='r') }}{% endmacro %}{% call(p, q) m() %}{{ p }}{{ q }}{% endcall %}
{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}
{% macro m(n) %}{{ n }}{% if n > 0 %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(3) }}
{% macro m() %}{{ late }}{% endmacro %}{% set late = 5 %}{{ m() }}
{% for n in numbers %}{% macro m() %}{{ n }}{% endmacro %}{{ m() }}{% endfor %}
{% macro m() %}{% set inner = 1 %}{% endmacro %}{{ m() }}{{ inner }}
{% macro m(x) %} {{ x }} {% endmacro %}[{{ m('a') | trim }}]{{ m.name }}
{% filter upper %}abc{{ text }}{% endfilter %}
{% filter trim | replace('a', 'b') %}  aa {% endfilter %}
{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}
{% with %}{% set a = 1 %}{{ a }}{% endwith %}{{ a }}
{% generation %}x{{ 1 }}{% endgeneration %}y
{% generation %}{% set q = 1 %}{% endgeneration %}{{ q }}
{%- generation -%} x {%- endgeneration -%} y
{% include 'x' %}
{% import 'x' as y %}
{{ raise_exception('no ' ~ number) }}
{% if no %}{{ raise_exception('no') }}{% endif %}fine
{{ strftime_now('%Y-%m-%d %H:%M:%S %d %b %B %a %A %j %y %p %I %%') }}
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.reset() }}{{ c.next() }}
{% set j = joiner('; ') %}{% for n in numbers %}{{ j() }}{{ n }}{% endfor %}
{% set messages = messages[1:] %}{{ messages | length }}
{% set loop_messages = messages if messages[0].role != 'system' else messages[1:] %}{% for m in loop_messages %}{{ m.role }}{% endfor %}
{% for m in messages %}{{ '<|' + m.role + '|>' }}{% if m.content is string %}{{ m.content | trim }}{% else %}{% for part in m.content %}{{ part.text if part.type == 'text' else '<img>' }}{% endfor %}{% endif %}{% endfor %}
{% for m in messages if m.role == 'user' %}{{ loop.index }}/{{ loop.length }} {% endfor %}
{% for i in range(3) %}{% set y = i %}{% endfor %}{{ y }}
{% set range = 3 %}{{ range }}
"""

EXPRESSIONS = r"""
{{ 1 + 2 * 3 - 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 3 ** 2 }}
{{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 1 / 3 }} {{ 10 / 2 }} {{ 1e100 }} {{ 1e16 }} {{ 123456789.0 }} {{ 0.1 + 0.2 }} {{ 1e-5 }} {{ 0.0001 }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ -number }} {{ +number }} {{ --number }} {{ -2 ** 2 }} {{ 2 ** -1 }}
{{ 'a' + 'b' }} {{ 'ab' * 3 }} {{ 2 * 'x' }} {{ 'a' ~ 1 ~ none ~ missing ~ 1.0 ~ true }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ 'a' - 'b' }}
{{ missing + 'a' }}
{{ 'a' + missing }}
{{ nothing + 1 }}
{{ [1] + [2] }} {{ (1, 2) + (3,) }} {{ [0] * 3 }}
{{ [1] + (2,) }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ 1 != 2 }} {{ 2 >= 2 }} {{ 'a' == 1 }}
{{ 1 < 'a' }}
{{ nothing < 1 }}
{{ missing < 1 }}
{{ missing == missing2 }} {{ missing != 1 }} {{ missing == none }} {{ none == none }}
{{ 1 in numbers }} {{ 9 not in numbers }} {{ 'ell' in text }} {{ 'a' in mapping }} {{ 'z' in mapping }} {{ 1 in missing }} {{ 1 in (1, 2) }}
{{ 1 in text }}
{{ 1 in 5 }}
{{ not yes }} {{ not not yes }} {{ yes and no }} {{ yes or no }} {{ 0 or 'x' }} {{ 1 and 'x' }} {{ '' and 1 }}|{{ not missing }}
{{ 'a' if yes else 'b' }} {{ 'a' if no else 'b' }} {{ 'a' if no }}|{{ 'a' if no else 'b' if no else 'c' }}
{{ ('a' if no).x }}
{{ numbers[0] }} {{ numbers[-1] }} {{ numbers[5] }}| {{ text[0] }} {{ text[-1] }} {{ uni[0] }} {{ uni[-1] }} {{ uni[100] }}|
{{ numbers[0:2] }} {{ numbers[::-1] }} {{ numbers[1:] }} {{ numbers[:-1] }} {{ numbers[::2] }} {{ numbers[-2:] }} {{ numbers[5:] }}
{{ text[1:4] }} {{ text[::-1] }} {{ text[-3:] }} {{ uni[6:] }} {{ uni[::-1] }} {{ text[10:2:-3] }} {{ text[:100] }} {{ text[-100:2] }}
{{ numbers[::0] }}
{{ numbers['a':] }}
{{ (1, 2, 3)[1:] }} {{ (1,) }} {{ () }} {{ 1, 2 }}
{{ mapping.a }} {{ mapping['a'] }} {{ mapping.zzz }}| {{ mapping['zzz'] }}|
{{ mapping.zzz.y }}
{{ mapping['zzz']['y'] }}
{{ missing.x }}
{{ missing[0] }}
{{ missing }}|{{ missing is defined }}
{{ missing() }}
{{ nothing.x }}|{{ number.x }}|{{ text.x }}|{{ numbers.x }}
{{ nothing.x.y }}
{{ nested.dict.x.y }} {{ nested['dict']['x'].y }} {{ nested.list[0][1] }}
{{ mapping.items() }} {{ mapping.keys() }} {{ mapping.values() }}
{{ mapping.get('a') }} {{ mapping.get('q') }} {{ mapping.get('q', 5) }} {{ mapping.get('C') }}
{{ messages[1].get('content') }}{{ messages[0].get('x', {}).get('y', 'z') }}
{{ {'items': 1}['items'] }}
{{ {'a': 1}.__class__ }}|
{{ text.__class__.x }}
{{ numbers.append(1) }}
{{ mapping.update({'a': 2}) }}
{{ mapping.pop('a') }}
{{ numbers.append is defined }}
{{ [1, 'a', "it's", 'q"', none, true, 1.0, [], {}, (), {'k': [1]}] }}
{{ ['a\n\t\\ \x00 \u00e9 \u200b \U0001f999'] }}
{{ {'a': 1, 2: 'b', none: true, 1.5: 2} }} {{ {1: 'a', true: 'b'} }}
{{ {[1]: 2} }}
{{ {(1, 2): 3}[(1, 2)] }}
{{ dict(a=1, b=2) }} {{ dict({'a': 1}, b=2) }} {{ dict([('a', 1)]) }}
{{ range(3) | list }} {{ range(1, 7, 2) | list }} {{ range(3, 0, -1) | list }} {{ range(0) | list }} {{ range(5)[1:3] | list }} {{ range(3) }}
{{ range(1, 2, 0) }}
{{ range(1000000) }}
{{ range('a') }}
{{ yes }} {{ no }} {{ nothing }} {{ number }} {{ real }} {{ numbers }} {{ mapping }}
{{ true + 1 }} {{ true * 3 }} {{ false ~ true }}
{{ 9223372036854775807 }}
{{ number is number }} {{ number is integer }} {{ real is float }} {{ yes is number }} {{ yes is integer }} {{ yes is boolean }} {{ text is string }} {{ mapping is mapping }}
{{ numbers is sequence }} {{ text is sequence }} {{ mapping is sequence }} {{ 5 is sequence }} {{ missing is sequence }} {{ numbers is iterable }} {{ 5 is iterable }} {{ missing is iterable }} {{ none is iterable }}
{{ number is odd }} {{ number is even }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ none is none }} {{ missing is none }} {{ missing is undefined }} {{ nothing is defined }}
{{ yes is true }} {{ yes is false }} {{ 1 is true }} {{ no is not true }} {{ number is eq 7 }} {{ number is ne(7) }} {{ 3 is lt 4 }} {{ 3 is ge 4 }} {{ 3 is gt(2) }} {{ 3 is le(2) }} {{ 1 is in [1, 2] }} {{ 1 is sameas 1 }} {{ 1 is sameas true }}
{{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 'aB' is lower }} {{ range is callable }} {{ text is callable }} {{ 'upper' is filter }} {{ 'xyz' is filter }} {{ 'odd' is test }} {{ 5 is string or 5 is number and true }}
{{ 5 is nosuchtest }}
{{ 5 | nosuchfilter }}
{{ 'a' is string and 'b' is string }}
{{ text is string if yes }}
{{ 1 is not number }} {{ not 1 is number }} {{ x is not defined and yes }}
{{ (1 is number) is boolean }}
{{ 1 is number is boolean }}
{{ '%s is %d and %.2f, %5s|%-5s|%05d|%x|%%' % ('a', 3, 2.5, 'b', 'c', 42, 255) }} {{ '%s' % 5 }} {{ '%(a)s' % {'a': 1} }} {{ '%r' % 'x' }}
{{ '%s %s' % 1 }}
{{ '%d' % 'a' }}
{{ '%s' % (1, 2) }}
{{ text() }}
{{ 5() }}
{{ text.nosuch() }}
{% macro m(a, b, c) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(*[1, 2], **{'c': 3}) }}
{{ numbers | length > 2 }} {{ numbers | length + 1 }} {{ -5 | abs }} {{ 'a' ~ 'b' | upper }} {{ ('a' ~ 'b') | upper }}
{{ text | upper | lower | title }} {{ text|length }} {{ uni | length }} {{ mapping | length }}
{{ messages[2].tool_calls[0].arguments.b[0] }} {{ messages[2]['tool_calls'][0]['arguments'] }}
{{ messages | tojson }}
{{ [[1, 2], [3]] == [[1, 2], [3]] }} {{ {'a': 1} == {'a': 1.0} }} {{ [1] == (1,) }} {{ 'a' == 'a' }}
"""

FILTERS = r"""
{{ mapping | tojson }} {{ numbers | tojson }} {{ text | tojson }} {{ nothing | tojson }} {{ real | tojson }} {{ yes | tojson }} {{ (1, 2) | tojson }} {{ {1: 2, none: 3, true: 4, 1.5: 5} | tojson }}
{{ nested | tojson(indent=2) }}
{{ messages | tojson(indent=4) }}
{{ {'a': [], 'b': {}} | tojson(indent=2) }} {{ [] | tojson }} {{ {} | tojson(indent=1) }}
{{ nested | tojson(separators=(',', ':')) }} {{ mapping | tojson(sort_keys=true) }} {{ nested | tojson(indent=1, separators=(', ', ' : ')) }} {{ [1, 2] | tojson(indent='--') }} {{ [1] | tojson(indent=0) }}
{{ uni | tojson }} {{ uni | tojson(ensure_ascii=true) }} {{ "\"\\\n\r\t\b\f\x00\x1f\x7f</" | tojson }}
{{ missing | tojson }}
{{ mapping.items() | tojson }}
{{ mapping.items() | list | tojson }} {{ range(3) | list | tojson }}
{{ range | tojson }}
{{ '  a b ' | trim }}|{{ 'xxaxx' | trim('x') }}|{{ 5 | trim }}|{{ ' \u3000\u00a0x\n' | trim }}|
{{ numbers | join }} {{ numbers | join(', ') }} {{ people | join('-', attribute='name') }} {{ 'abc' | join('.') }} {{ [1, none, missing, 'a'] | join(',') }} {{ mapping | join(',') }}
{{ words | map('upper') | list }} {{ people | map(attribute='name') | list }} {{ people | map(attribute='x', default='d') | list }} {{ numbers | map('string') | join }} {{ words | map('replace', 'a', 'q') | list }}
{{ words | map('nosuch') | list }}
{{ numbers | select('odd') | list }} {{ numbers | reject('odd') | list }} {{ [0, 1, '', 'a', none] | select | list }} {{ [0, 1] | reject | list }} {{ numbers | select('gt', 1) | list }} {{ numbers | select('in', [1, 2]) | list }}
{{ people | selectattr('age', 'equalto', 3) | map(attribute='name') | list }} {{ people | rejectattr('age', '==', 3) | list }} {{ people | selectattr('x') | list }} {{ people | selectattr('name', 'defined') | list | length }} {{ messages | selectattr('role', 'equalto', 'system') | first }}
{{ mapping | items | list }} {{ missing | items | list }}
{{ text | items | list }}
{{ mapping | dictsort }} {{ mapping | dictsort(true) }} {{ {'a': 2, 'b': 1} | dictsort(by='value') }} {{ {'a': 2, 'b': 1} | dictsort(reverse=true) }}
{{ mapping | dictsort(by='value') }}
{{ numbers | sort }} {{ words | sort }} {{ words | sort(case_sensitive=true) }} {{ numbers | sort(reverse=true) }} {{ people | sort(attribute='age') | map(attribute='name') | list }} {{ people | sort(attribute='age,name', reverse=true) | map(attribute='name') | list }}
{{ [1, 'a'] | sort }}
{{ [1, 1, 2, 'a', 'A'] | unique | list }} {{ people | unique(attribute='age') | map(attribute='name') | list }} {{ ['a', 'A'] | unique(true) | list }}
{{ numbers | length }} {{ text | count }} {{ missing | length }}
{{ 5 | length }}
{{ (numbers | map('string')) | length }}
{{ numbers | first }} {{ numbers | last }} {{ [] | first }}|{{ [] | last }}|{{ 'abc' | first }} {{ 'abc' | last }} {{ mapping | first }} {{ missing | first }}|
{{ ([] | first).x }}
{{ missing | default('d') }} {{ nothing | default('d') }} {{ nothing | default('d', true) }} {{ empty | default('d', boolean=true) }} {{ missing | d }}| {{ missing | default(numbers) }} {{ nested.zzz | default('q') }}
{{ nested.zzz.y | default('q') }}
{{ 'aaa' | replace('a', 'b') }} {{ 'aaa' | replace('a', 'b', 2) }} {{ 'abc' | replace('', '-') }} {{ 121 | replace('1', 'x') }}
{{ 'aB\u00e9\u00df' | upper }} {{ 'AB\u00c9' | lower }} {{ 'foo bar-baz (qux)' | title }} {{ "it's" | title }} {{ 'hELLO wORLD' | capitalize }} {{ 5 | upper }}
{{ '42' | int }} {{ 'x' | int }} {{ 'x' | int(5) }} {{ '0x1F' | int(base=16) }} {{ 3.9 | int }} {{ '3.9' | int }} {{ true | int }} {{ none | int }} {{ ' 7 ' | int }} {{ '-3' | int }} {{ '11' | int(0, 2) }}
{{ missing | int }}
{{ '4.5' | float }} {{ 'x' | float }} {{ 3 | float }} {{ 'x' | float(1.5) }} {{ '1e3' | float }} {{ none | float }}
{{ 5 | string + 'a' }} {{ none | string }} {{ [1] | string }} {{ text | safe }} {{ 5 | safe }}
{{ 'abc' | list }} {{ mapping | list }} {{ missing | list }} {{ (1, 2) | list }}
{{ 5 | list }}
{{ 'a\nb\n\nc' | indent }}|{{ 'a\nb\n\nc' | indent(2, true) }}|{{ 'a\n\nb' | indent(2, blank=true) }}|{{ 'a\nb\n' | indent('> ') }}|{{ '' | indent(3) }}|{{ 'a' | indent(2, first=true) }}
{{ -5 | abs }} {{ -2.5 | abs }} {{ 2.5 | round }} {{ 3.5 | round }} {{ 2.675 | round(2) }} {{ 2.1 | round(method='ceil') }} {{ 2.9 | round(0, 'floor') }} {{ 5 | round }} {{ 12.345 | round(1) }} {{ 2.25 | round(1, 'ceil') }}
{{ 'a' | abs }}
{{ numbers | sum }} {{ people | sum(attribute='age') }} {{ numbers | sum(start=10) }} {{ [0.5, 1] | sum }} {{ [] | sum }}
{{ ['a'] | sum }}
{{ numbers | min }} {{ numbers | max }} {{ words | min }} {{ words | max }} {{ [] | max }}| {{ people | max(attribute='age') }} {{ people | min(attribute='age') }}
{{ [1, 2, 3, 4, 5] | batch(2) | list }} {{ [1, 2, 3] | batch(2, 'x') | list }} {{ [1, 2, 3, 4, 5] | slice(3) | list }} {{ [1, 2, 3, 4] | slice(3, 'x') | list }}
{% for g, l in people | groupby('age') %}{{ g }}:{{ l | map(attribute='name') | join(',') }};{% endfor %}{% for g in people | groupby('age') %}{{ g.grouper }}{{ g.list | length }}{% endfor %}
{{ numbers | reverse | list }} {{ 'abc\u00e9' | reverse }} {{ [] | reverse | list }}
{{ 'a b  c_d e-f' | wordcount }} {{ '' | wordcount }}
{{ '%s-%d' | format('a', 5) }} {{ '%(x)s' | format(x=1) }}
{{ '<a href="x">\'&' | escape }} {{ '<' | e }} {{ 'a b/c?d=\u00e9&' | urlencode }}
{{ 'hello world foo bar' | truncate(11) }} {{ 'hello world foo bar' | truncate(11, true) }} {{ 'hello world' | truncate(11) }} {{ 'hello world foo' | truncate(8, false, '!', 0) }} {{ 'hello wo' | truncate(5) }}
{{ 'ab' | center(6) }}| {{ 'abc' | center(6) }}| {{ 'ab' | center(5) }}|
{{ text | attr('upper') is defined }} {{ mapping | attr('a') }}|
{% set g = numbers | map('string') %}{{ g | join }}{{ g | join }}|
{% set g = numbers | select('odd') %}{{ g | first }}{{ g | list }}
{{ words | map('first') | join }} {{ [[3, 1], [2]] | map('sort') | list }} {{ [[1, 2], [3]] | map('last') | list }} {{ [[1, 2], [3]] | sum(start=[]) }}
{{ people | map(attribute='name') | map('lower') | sort | join(' ') }} {{ [{'a': {'b': 1}}] | map(attribute='a.b') | list }} {{ [[5, 6]] | map(attribute=1) | list }} {{ [[5, 6]] | map(attribute='0') | list }}
"""

METHODS = r"""
{{ '  a '.strip() }}|{{ '  a '.lstrip() }}|{{ '  a '.rstrip() }}|{{ 'xyaxy'.strip('xy') }}|{{ 'aab'.lstrip('a') }}|{{ '\n a\t'.strip() }}|{{ '\u3000a\u00a0'.strip() }}|{{ '\u00e9a\u00e9'.strip('\u00e9') }}|
{{ 'a,b,,c'.split(',') }} {{ ' a  b c '.split() }} {{ 'a b c'.split(' ', 1) }} {{ 'a b c d'.split(None, 2) }} {{ ''.split() }} {{ ''.split(',') }} {{ 'a--b--c'.split('--')[-1] }} {{ 'abc'.split('x') }} {{ ' a b  c '.split(maxsplit=1) }}
{{ 'a,b,c'.rsplit(',', 1) }} {{ 'a b  c'.rsplit(None, 1) }} {{ 'a,b'.rsplit(',') }} {{ ' a b '.rsplit() }} {{ ' a b c '.rsplit(None, 0) }}
{{ 'a'.split('') }}
{{ 'a\nb\r\nc\n'.splitlines() }} {{ 'a\nb'.splitlines(true) }} {{ ''.splitlines() }} {{ 'a\n\nb'.splitlines() }}
{{ text.startswith('Hell') }} {{ text.startswith(('x', 'H')) }} {{ text.endswith('ld') }} {{ text.endswith('x') }} {{ text.startswith('ello', 1) }} {{ text.startswith('') }} {{ text.endswith('Hel', 0, 3) }}
{{ text.startswith(5) }}
{{ 'aXbX'.replace('X', '-') }} {{ 'aaa'.replace('a', 'b', 1) }} {{ 'ab'.replace('', '.') }} {{ 'abab'.replace('ab', '') }} {{ '\u00e9\u00e9'.replace('\u00e9', 'e') }}
{{ 'abc'.upper() }} {{ 'ABC'.lower() }} {{ "they're bill's".title() }} {{ 'hELLO'.capitalize() }} {{ 'aBc'.swapcase() }} {{ '\u00e9\u00df'.upper() }} {{ '\u0416\u03a9'.lower() }} {{ '\u0436\u03c9'.upper() }} {{ 'a1b c2'.title() }}
{{ ', '.join(['a', 'b']) }} {{ ''.join('abc') }} {{ '-'.join(mapping) }} {{ ','.join([]) }}|
{{ ','.join([1]) }}
{{ text.find('o') }} {{ text.rfind('o') }} {{ text.find('z') }} {{ text.index('W') }} {{ text.count('l') }} {{ text.count('') }} {{ text.find('o', 5) }} {{ uni.find('\u4f60') }} {{ text.find('H', 1) }} {{ text.count('o', 0, 5) }} {{ text.find('o', -4) }}
{{ text.index('z') }}
{{ '123'.isdigit() }} {{ 'a1'.isalnum() }} {{ 'ab'.isalpha() }} {{ ' \n'.isspace() }} {{ ''.isdigit() }} {{ 'AB'.isupper() }} {{ 'ab'.islower() }} {{ '12'.isnumeric() }} {{ '1.5'.isdecimal() }} {{ '1'.isupper() }} {{ 'h\u00e9'.isalpha() }}
{{ 'ab'.center(7, '*') }} {{ 'ab'.ljust(4) }}| {{ 'ab'.rjust(4, '.') }} {{ '-5'.zfill(4) }} {{ '5'.zfill(3) }} {{ 'abc'.center(6) }}|{{ 'abc'.zfill(2) }}
{{ 'prefix-x'.removeprefix('prefix-') }} {{ 'x.txt'.removesuffix('.txt') }} {{ 'x'.removeprefix('y') }}
{{ 'a=b=c'.partition('=') }} {{ 'abc'.partition('=') }}
{{ '{} and {}'.format(1, 'b') }} {{ '{0}{1}{0}'.format('a', 'b') }} {{ '{x}'.format(x=5) }} {{ '{{}}'.format() }} {{ '{:>5}|{:<5}|{:\x5e5}|{:*\x5e7}'.format('a', 'b', 'c', 'd') }} {{ '{:.2f} {:05d} {:,} {:+d} {:x} {:e} {:%}'.format(2.5, 42, 1234567, 3, 255, 1234.5, 0.25) }} {{ '{0[a]} {1.x}'.format(mapping, nested.dict) }}
{{ '{a[x]} {b!r} {c:3}|{d:3}|'.format(a={'x': 1}, b='q', c=1, d='s') }}
{{ '{}'.format() }}
{{ '{'.format() }}
{{ '{:d}'.format('a') }}
{{ numbers.index(1) }} {{ numbers.count(3) }} {{ (1, 2).index(2) }} {{ (1, 1).count(1) }}
{{ numbers.index(99) }}
{{ mapping.keys() | list }} {{ mapping.values() | list }} {{ mapping.items() | list }} {{ mapping.keys() | join(',') }} {{ 'a' in mapping.keys() }}
{{ mapping.get() }}
{{ mapping.copy is defined }} {{ text.nosuch is defined }} {{ mapping.get is defined }}
{{ numbers.sort() }}
{{ numbers.insert(0, 1) }}
{{ numbers.extend([1]) }}
{{ mapping.setdefault('a', 1) }}
{{ mapping.clear() }}
{{ text.upper().lower().title() }} {{ text.split(', ')[1][0] }} {{ text.split(', ') | map('length') | list }}
{{ 'abc'.strip(5) }}
{{ 'abc'.upper(1) }}
{{ messages[1].content.strip() }}|{{ messages[1]['content'].split('\n')[0] }}|{{ messages[3].content[0].text }}
{{ '<think>a</think>b'.split('</think>')[-1].lstrip('\n') }} {{ '<think>\na\n</think>b'.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') }}
"""


def render(source):
    template = chat_template_utils._cached_compile_jinja_template(source)
    template.environment.globals["strftime_now"] = lambda form: datetime.datetime(2026, 1, 2, 3, 4, 5).strftime(form)
    return template.render(**VARIABLES)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, sources in [("lexing", LEXING), ("statements", STATEMENTS), ("expressions", EXPRESSIONS), ("filters", FILTERS),
                          ("methods", METHODS)]:
        cases = []
        for line in sources.strip("\n").split("\n"):
            source = line.replace("^", "\n")
            case = {"template": source}
            try:
                case["output"] = render(source)
            except Exception as error:
                case["error"] = f"{type(error).__name__}: {error}"
            cases.append(case)
        text = json.dumps({"variables": VARIABLES, "cases": cases}, ensure_ascii=True, indent=1)
        (FOLDER / f"{name}.json").write_text(text + "\n")
        for i, case in enumerate(cases):
            if i % 3 == 0 and len(case["template"]) > 12:
                (CORPUS / f"{name}-{i}").write_text(case["template"])
        print(name, len(cases), "templates,", sum("error" in case for case in cases), "that raise")


if __name__ == "__main__":
    main()
