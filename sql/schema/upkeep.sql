-- upkeep: what no statement of anybody's starts, but the clock. Causes have their effects in their own transaction; that a
-- response window passes, that habits change and a prior grows old, is noticed by whoever calls crm.maintain().

CREATE TABLE crm.upkeep (
    task text PRIMARY KEY CONSTRAINT upkeep_task CHECK (task IN ('analyse', 'close_windows', 'expire_leases', 'expire_handovers', 'narrow_publications',
                                                                 'reclassify_machines', 'refresh_priors', 'refresh_hours', 'fit_models')),
    every interval CONSTRAINT upkeep_every CHECK (every >= interval '0'),
    position integer NOT NULL UNIQUE,
    last_run_at timestamptz,
    last_took interval,
    last_result text,
    last_error text
);
COMMENT ON TABLE crm.upkeep IS 'what crm.maintain() does, how often, and how it went the last time';
COMMENT ON COLUMN crm.upkeep.task IS 'name of the function or procedure that does it';
COMMENT ON COLUMN crm.upkeep.every IS 'done again when so much time has passed; 0: at each call; null: not at all';
COMMENT ON COLUMN crm.upkeep.position IS 'in which order: what others build on comes first';
COMMENT ON COLUMN crm.upkeep.last_run_at IS 'as of when it was last tried; null: never';
COMMENT ON COLUMN crm.upkeep.last_took IS 'how long that took';
COMMENT ON COLUMN crm.upkeep.last_result IS 'what the last successful run did';
COMMENT ON COLUMN crm.upkeep.last_error IS 'why the last run failed; null: it did not';
INSERT INTO crm.upkeep (task, every, position) VALUES
    ('analyse', '0', 10), ('close_windows', '0', 20), ('expire_leases', '0', 30), ('expire_handovers', '0', 40), ('narrow_publications', '0', 45),
    ('reclassify_machines', '1 hour', 50), ('refresh_priors', '1 day', 60), ('refresh_hours', '1 day', 70), ('fit_models', '7 days', 80);

CREATE FUNCTION crm.run_upkeep(task text, at timestamptz DEFAULT now()) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    began timestamptz := clock_timestamp();
    last timestamptz;
    result text;
BEGIN
    IF at IS NULL OR NOT isfinite(at) THEN
        RAISE invalid_parameter_value USING MESSAGE = 'upkeep is done as of a finite time';
    END IF;
    SELECT u.last_run_at INTO last FROM crm.upkeep AS u WHERE u.task = task FOR UPDATE;
    IF NOT FOUND THEN
        RAISE invalid_parameter_value USING MESSAGE = format('there is no upkeep named "%s"', task), HINT = 'crm.upkeep lists what there is.';
    END IF;
    CASE task
        WHEN 'analyse' THEN
            -- The oldest of what waits; a bulk load's rest comes with the next calls.
            result := (SELECT format('%s interactions and %s purchases taken in', crm.absorb('crm.interaction', 100000), crm.absorb('crm.purchase', 100000)));
        WHEN 'close_windows' THEN
            result := (SELECT format('%s contacts unanswered', crm.close_windows(at)));
        WHEN 'expire_leases' THEN
            result := (SELECT format('%s leases ended', crm.expire_leases()));
        WHEN 'expire_handovers' THEN
            result := (SELECT format('%s offers expired', crm.expire_handovers(at)));
        WHEN 'narrow_publications' THEN
            result := (SELECT format('%s audiences taken out of publications', coalesce(sum(p.removed), 0))
                              || coalesce('; to be made anew: ' || string_agg(p.name, ', ') FILTER (WHERE p.missing > 0), '')
                       FROM crm.narrow_publications(at) AS p);
        WHEN 'reclassify_machines' THEN
            -- A burst is known by its later clicks, so that the last day is looked at once more.
            result := (SELECT format('%s openings and clicks classified anew', crm.reclassify_machines(coalesce(last - interval '1 day', '-infinity'))));
        WHEN 'refresh_priors' THEN
            result := (SELECT format('%s priors fitted, %s kept, %s by default', count(*) FILTER (WHERE p.action = 'fitted'),
                                     count(*) FILTER (WHERE p.action = 'kept'), count(*) FILTER (WHERE p.action = 'default'))
                       FROM crm.refresh_priors(at) AS p);
        WHEN 'refresh_hours' THEN
            result := (SELECT format('%s hours of channels', crm.refresh_hours(at)));
        WHEN 'fit_models' THEN
            CALL crm.fit_models(at, only_changed => true);
            result := (SELECT format('%s models in force', count(*)) FROM crm.model AS m WHERE m.is_current);
    END CASE;
    UPDATE crm.upkeep AS u SET last_run_at = at, last_took = clock_timestamp() - began, last_result = result, last_error = NULL
    WHERE u.task = task;
    RETURN result;
END $$;
COMMENT ON FUNCTION crm.run_upkeep(text, timestamptz) IS
    'does one task of crm.upkeep as of a time, whether it is due or not, and says what it did; who calls it while it is being done waits. Errors: 22023 for a task that there is not or an infinite time';
REVOKE ALL ON FUNCTION crm.run_upkeep(text, timestamptz) FROM PUBLIC;

-- One task that fails does not keep the others from being done.
CREATE FUNCTION crm.try_upkeep(task text, at timestamptz) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    result text;
    failure text;
BEGIN
    -- Whoever is at it now is doing it.
    PERFORM FROM crm.upkeep AS u
    WHERE u.task = task AND u.every IS NOT NULL AND (u.last_run_at IS NULL OR u.last_run_at > at OR u.last_run_at + u.every <= at)
    FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    result := crm.run_upkeep(task, at);
    RAISE NOTICE '%: %', task, result;
    RETURN result;
EXCEPTION WHEN OTHERS THEN
    failure := sqlerrm;
    UPDATE crm.upkeep AS u SET last_run_at = at, last_took = NULL, last_error = failure WHERE u.task = task;
    RAISE WARNING '%: %', task, failure;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION crm.try_upkeep(text, timestamptz) IS
    'does a task of crm.upkeep if it is due and nobody is at it, and returns what it did; an error becomes a warning and stands in crm.upkeep';
REVOKE ALL ON FUNCTION crm.try_upkeep(text, timestamptz) FROM PUBLIC;

-- Each task is a transaction of its own, so that none holds up who works with customers for longer than it takes itself. A
-- procedure that commits can have no search_path of its own; this one names the schema of everything.
CREATE PROCEDURE crm.maintain(at timestamptz DEFAULT pg_catalog.now())
    LANGUAGE plpgsql AS $$
DECLARE
    tasks pg_catalog.text[];
    task pg_catalog.text;
BEGIN
    tasks := ARRAY(SELECT u.task FROM crm.upkeep AS u WHERE u.every IS NOT NULL ORDER BY u.position);
    -- First, so that a call within a transaction fails before it has done anything.
    COMMIT;
    FOREACH task IN ARRAY tasks LOOP
        PERFORM crm.try_upkeep(task, at);
        COMMIT;
    END LOOP;
END $$;
COMMENT ON PROCEDURE crm.maintain(timestamptz) IS
    'does what crm.upkeep lists and what is due, each task in a transaction of its own; to be called every few minutes from outside a transaction, by pg_cron, a timer or a worker. Says what it did; a task that fails is a warning and stands in crm.upkeep';
REVOKE ALL ON PROCEDURE crm.maintain(timestamptz) FROM PUBLIC;
