{# Makes a view of each exported table, of the files that the manifest names and no others. It is read once a run: all models
   see one manifest. #}
{% macro read_manifest() %}
  {% if execute and target.type == 'duckdb' %}
    {% set root = env_var('EXPORT_URL').rstrip('/') %}
    {% set text = run_query("select content from read_text(" ~ dbt.string_literal(dbt.escape_single_quotes(root ~ '/manifest.json')) ~ ")") %}
    {% if text | length != 1 %}
      {{ exceptions.raise_compiler_error("There is no manifest.json below EXPORT_URL. Run: creator-pipeline export") }}
    {% endif %}
    {% set manifest = fromjson(text.columns[0].values()[0]) %}
    {% if manifest.schema_version != 1 %}
      {{ exceptions.raise_compiler_error("manifest.json below EXPORT_URL is of schema version " ~ manifest.schema_version ~ "; these models read 1. Take the models of the release that wrote it.") }}
    {% endif %}
    {% do run_query("create schema if not exists export_files") %}
    {% for node in graph.sources.values() if node.source_name == 'export_files' %}
      {% set table = manifest.tables.get(node.name) %}
      {% if not table %}
        {{ exceptions.raise_compiler_error("manifest.json below EXPORT_URL has no table " ~ node.name ~ ". Run with this release: creator-pipeline export") }}
      {% endif %}
      {% do run_query("create or replace view export_files." ~ node.name ~ " as " ~ files_of(root, table)) %}
    {% endfor %}
  {% endif %}
{% endmacro %}

{% macro files_of(root, table) %}
  {%- set types = {'text': 'varchar', 'decimal': 'decimal(24, 6)', 'integer': 'bigint', 'timestamp': 'timestamptz'} -%}
  select
    {% for column in table.columns -%}
    {{ '"' ~ column.name ~ '"' if table.files else 'cast(null as ' ~ types.get(column.type, column.type) ~ ') as "' ~ column.name ~ '"' }}
    {{- ", " if not loop.last }}
    {%- endfor %}
  {% if table.files -%}
  from read_parquet([
    {%- for file in table.files -%}
    {{ dbt.string_literal(dbt.escape_single_quotes(root ~ '/' ~ file.path)) }}{{ ", " if not loop.last }}
    {%- endfor -%}
  ], hive_partitioning = false, union_by_name = true)
  {%- else -%}
  where false
  {%- endif %}
{% endmacro %}
