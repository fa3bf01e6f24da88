-- After each `creator-pipeline migrate`, as the owner: psql -U pipeline_owner -d warehouse -f rights.sql
-- Who gets nothing here gets nothing: a table of a later release is nobody's but the app's until it is named.
BEGIN;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM pipeline_app, pipeline_gateway, pipeline_reader;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO pipeline_app;
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM pipeline_app;

-- Whether the tables are of this release.
GRANT SELECT ON alembic_version TO pipeline_gateway, pipeline_reader;

-- Deliveries, the queue, mails and their suppressions.
GRANT SELECT, INSERT, UPDATE ON webhook_events, ingestion_jobs, email_messages, email_suppressions TO pipeline_gateway;
GRANT DELETE ON email_suppressions TO pipeline_gateway;
-- The creator's page, and whose a key is.
GRANT SELECT ON profiles, daily_revenue, kdp_uploads, kdp_headers, unexplained, closed_months, balance_movements,
    unreadable
    TO pipeline_gateway;
GRANT SELECT (id, profile_id, platform, event_type, product_name, occurred_on, gross_micros, fee_micros, currency,
    fee_exact, belongs_to, past_balance, source) ON sales_events TO pipeline_gateway;
GRANT SELECT (provider, profile_id, payout_id, amount_micros, currency, status, state, created_at, balance_micros,
    balance_currency, withheld_micros, released_on, estimated, first_seen_at, ingested_at) ON payouts
    TO pipeline_gateway;
-- What an owner says of a report that is held back; the sensor kdp_inbox does it.
GRANT UPDATE (answer) ON kdp_uploads TO pipeline_gateway;
-- What /metrics tells.
GRANT SELECT (id, since, resolved_at) ON health_reports TO pipeline_gateway;
GRANT SELECT (id, channel, status, created_at) ON alert_messages TO pipeline_gateway;
GRANT UPDATE (notify, signed_out_at) ON profiles TO pipeline_gateway;
-- Connecting an account writes tokens; nothing here reads one.
GRANT SELECT (provider, profile_id, external_account_id, scopes, status, last_error, last_synced_at, created_at,
    fresh_at, expected_by)
    ON platform_connections TO pipeline_gateway, pipeline_reader;
GRANT INSERT, UPDATE ON platform_connections TO pipeline_gateway;
GRANT SELECT, INSERT, UPDATE ON platform_accounts TO pipeline_gateway;
GRANT SELECT (provider, profile_id, account_id, since, clears) ON platform_accounts TO pipeline_reader;

GRANT SELECT ON sales_events, daily_revenue, revenue, gumroad_products, kdp_royalties, platform_totals, health_reports,
    payout_lines, unexplained, balance_movements, platform_balances, closed_months, closed_ledger, ledger_first_seen, gumroad_earnings,
    kdp_payments, fx_rates, gumroad_offer_codes, gumroad_reviews, gumroad_variant_categories, gumroad_variants,
    gumroad_custom_fields, gumroad_utm_links, whop_products, whop_variants, whop_promo_codes, whop_affiliates,
    whop_waiting_list, whop_reviews, whop_refunds, whop_disputes, whop_dispute_alerts, whop_transfers, stream_reads, subscriptions_daily, products,
    sync_status, daily_revenue_amounts, daily_revenue_local, payout_amounts, kdp_books, kdp_kenp_rates, kdp_kenp_estimates, kdp_orders,
    kdp_orders_placed, kdp_payments_counted
    TO pipeline_reader;
GRANT SELECT (provider, profile_id, payout_id, amount_micros, currency, status, state, created_at, processed_at,
    period_end, balance_micros, balance_currency, withheld_micros, rate, released_on, estimated, lines_read_at, differs,
    first_seen_at, ingested_at) ON payouts TO pipeline_reader;
GRANT SELECT (profile_id, id, line_type, posted_at, posted_on, available_at, payment_id, product_id, product_name,
    amount_micros, amount_exact, currency, usd_micros, first_seen_at, ingested_at)
    ON whop_financial_activity TO pipeline_reader;
GRANT SELECT (id, display_name, subscription_tier, plan_name, timezone, created_at) ON profiles TO pipeline_reader;
GRANT SELECT (profile_id, id, partition_day, created_at, local_day, product_id, product_name, quantity, price_micros,
    fee_micros, refunded_micros, refund_exact, affiliate_micros, listed_currency, refunded, partially_refunded,
    chargedback, disputed, dispute_won, kind, subscription_id, recurring_charge, ingested_at, processor)
    ON gumroad_sales TO pipeline_reader;
GRANT SELECT (profile_id, id, product_id, product_name, status, recurrence, charges, purchase_ids, created_at,
    cancel_asked_at, cancelled_at, ended_at, failed_at, trial_ends_at, first_seen_at, ingested_at, removed_at)
    ON gumroad_subscribers TO pipeline_reader;
GRANT SELECT (profile_id, id, access_level, status, last_action, spent_micros, currency, joined_at, created_at,
    first_seen_at, ingested_at, removed_at) ON whop_members TO pipeline_reader;
GRANT SELECT (profile_id, id, product_id, member_id, referrer_host, created_at, updated_at, first_seen_at, ingested_at,
    removed_at) ON whop_leads TO pipeline_reader;
GRANT SELECT (profile_id, id, number, status, variant_id, total_micros, currency, payment_processing, due_at,
    created_at, first_seen_at, ingested_at, removed_at) ON whop_invoices TO pipeline_reader;
GRANT SELECT (id, account_profile_id, profile_id, status, has_access, plan_id, plan_name, tier, product_id,
    product_name, created_at, updated_at, current_period_start, current_period_end, cancel_at_period_end, canceled_at,
    price_micros, currency, first_seen_at, ingested_at)
    ON whop_subscriptions TO pipeline_reader;
GRANT SELECT (profile_id, id, partition_day, created_at, paid_at, updated_at, status, substatus, billing_reason,
    membership_id, product_id, product_name, plan_id, units, currency, total_micros, fee_micros, refunded_micros,
    refunds, disputes, alerts, final, ingested_at)
    ON whop_payments TO pipeline_reader;
GRANT SELECT (id, profile_id, kind, format, finality, period_start, period_end, rows, status, snapshot_at, totals,
    slices, uploaded_at)
    ON kdp_uploads TO pipeline_reader;
GRANT SELECT (id, profile_id, source, kind, status, attempts, visible_at, run_id, events_count, created_at,
    finished_at)
    ON ingestion_jobs TO pipeline_reader;
GRANT SELECT (provider, delivery_id, received_at, profile_id, event_type, status, job_id, repeats, account_id, note)
    ON webhook_events TO pipeline_reader;
GRANT SELECT (id, kind, profile_id, status, attempts, created_at, sent_at) ON email_messages TO pipeline_reader;
GRANT SELECT (id, channel, kind, profile_id, status, attempts, created_at, sent_at) ON alert_messages TO pipeline_reader;
COMMIT;
