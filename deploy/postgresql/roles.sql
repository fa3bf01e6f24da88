-- Once, by an administrator, in the database of the warehouse: psql -d warehouse -f roles.sql
-- Then give each role a password (\password pipeline_app …), and go on as rights.sql says.
-- pipeline_owner     owns the tables and migrates: creator-pipeline migrate
-- pipeline_app       daemon, code server, runs, commands: reads and writes rows, changes no table
-- pipeline_gateway   what the internet talks to: no sales, no ledger, and no token it could read
-- pipeline_reader    analysts: money, no tokens, no bodies, no addresses
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['pipeline_owner', 'pipeline_app', 'pipeline_gateway', 'pipeline_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', name);
        END IF;
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO pipeline_gateway, pipeline_reader', current_database());
    -- A load is staged in a temporary table.
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO pipeline_owner, pipeline_app', current_database());
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO pipeline_owner;
GRANT USAGE ON SCHEMA public TO pipeline_app, pipeline_gateway, pipeline_reader;
