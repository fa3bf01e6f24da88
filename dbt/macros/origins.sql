{# Where a table is read from: a view or table of the warehouse, or the files that the manifest names. #}
{% macro origin(name) %}{{ return(adapter.dispatch('origin', 'creator_pipeline')(name)) }}{% endmacro %}

{% macro duckdb__origin(name) %}{{ return(source('export_files', name)) }}{% endmacro %}

{% macro postgres__origin(name) %}
  {% set called = {
      'ledger': 'revenue', 'daily_revenue': 'daily_revenue_amounts', 'payouts': 'payout_amounts', 'products_sold': 'products'
  } %}
  {{ return(source('warehouse', called.get(name, name))) }}
{% endmacro %}

{# The column of the warehouse that holds the platform, where it is not the ledger's word. #}
{% macro platform() %}{{ return(adapter.dispatch('platform', 'creator_pipeline')()) }}{% endmacro %}
{% macro duckdb__platform() %}platform{% endmacro %}
{% macro postgres__platform() %}provider as platform{% endmacro %}

{# An amount of a table that has no view: millionths in the warehouse, decimals in the files. #}
{% macro amount(name) %}{{ return(adapter.dispatch('amount', 'creator_pipeline')(name)) }}{% endmacro %}
{% macro duckdb__amount(name) %}{{ name }}{% endmacro %}
{% macro postgres__amount(name) %}cast({{ name }}_micros * 0.000001 as numeric(24, 6)) as {{ name }}{% endmacro %}

{# The view `revenue` has the decimals, the table what a report rarely asks for. #}
{% macro ledger_rows() %}{{ return(adapter.dispatch('ledger_rows', 'creator_pipeline')()) }}{% endmacro %}
{% macro duckdb__ledger_rows() %}{{ origin('ledger') }} as ledger{% endmacro %}
{% macro postgres__ledger_rows() %}
  {{ origin('ledger') }} as ledger
  join (select id as event_id, external_id, belongs_to, past_balance from {{ source('warehouse', 'sales_events') }}) as event
    on event.event_id = ledger.id
{% endmacro %}
