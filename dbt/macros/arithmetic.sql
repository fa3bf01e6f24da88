{# a / b to six places, half away from zero; null where b is zero. Exact: DuckDB's `/` gives a float even of decimals. #}
{% macro ratio(a, b) %}{{ return(adapter.dispatch('ratio', 'creator_pipeline')(a, b)) }}{% endmacro %}

{% macro postgres__ratio(a, b) %}cast(round({{ a }} / nullif({{ b }}, 0), 6) as numeric(38, 6)){% endmacro %}

{% macro duckdb__ratio(a, b) %}
  {%- set over = "cast(abs(" ~ a ~ ") * 1000000 as hugeint)" -%}
  {%- set under = "nullif(cast(abs(" ~ b ~ ") * 1000000 as hugeint), 0)" -%}
  cast(
    cast((2000000 * {{ over }} + {{ under }}) // (2 * {{ under }}) * sign({{ a }}) * sign({{ b }}) as numeric(31, 0))
    * cast(0.000001 as numeric(7, 6)) as numeric(38, 6)
  )
{%- endmacro %}

{# A sum of money of one currency: as wide as both databases can. #}
{% macro total(expression) %}cast(coalesce(sum({{ expression }}), 0) as numeric(38, 6)){% endmacro %}

{% macro count_of(expression) %}cast(coalesce(sum({{ expression }}), 0) as bigint){% endmacro %}

{% macro month_of(day) %}cast(date_trunc('month', {{ day }}) as date){% endmacro %}

{# One column that names a row. The parts can't run into each other: the separator is in no name. #}
{% macro key_of(columns) %}
  {%- set parts = [] -%}
  {%- for column in columns -%}{%- do parts.append("coalesce(" ~ column ~ ", '')") -%}{%- endfor -%}
  md5({{ parts | join(" || chr(31) || ") }})
{%- endmacro %}
