-- access, between databases: publications of what a partner may see, for a database of its own; and who of the joint controllers
-- answers which right of the data subject.

CREATE TABLE crm.partner_publication (
    name text PRIMARY KEY,
    partner_id bigint NOT NULL REFERENCES crm.partner ON DELETE CASCADE,
    audiences integer[] NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX partner_publication_partner ON crm.partner_publication (partner_id);
COMMENT ON INDEX crm.partner_publication_partner IS 'the publications for a partner';
COMMENT ON TABLE crm.partner_publication IS 'publications for databases of partners; written by crm.create_partner_publication()';
COMMENT ON COLUMN crm.partner_publication.name IS 'name of the publication';
COMMENT ON COLUMN crm.partner_publication.partner_id IS 'for whom';
COMMENT ON COLUMN crm.partner_publication.audiences IS 'the audiences whose rows it has';
COMMENT ON COLUMN crm.partner_publication.published_at IS 'as of when';

CREATE FUNCTION crm.publish_audiences(name text, partner_id bigint, audiences integer[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    shown constant jsonb := '{"customer": "customer_id, kind, name, given_name, family_name, language, country, time_zone, lifecycle, audience_id",
        "contact_point": "contact_point_id, customer_id, channel, address, resolved, is_primary, verified_at, blocked_at, block_reason, audience_id",
        "interaction": "interaction_id, customer_id, channel, direction, outcome, occurred_at, audience_id",
        "purchase": "purchase_id, customer_id, purchased_at, product, audience_id"}';
    t record;
BEGIN
    -- The filter's column must be part of what identifies a row: a customer who leaves the audience is then deleted there.
    FOR t IN SELECT k.key AS relation, k.value AS columns, k.key || '_id' AS id FROM jsonb_each_text(shown) AS k LOOP
        IF NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = format('crm.%I', t.relation)::regclass AND c.relreplident = 'i') THEN
            EXECUTE format('CREATE UNIQUE INDEX IF NOT EXISTS %I ON crm.%I (%I, audience_id)', t.relation || '_published', t.relation, t.id);
            EXECUTE format('COMMENT ON INDEX crm.%I IS %L', t.relation || '_published', 'what identifies a row for partners'' publications');
            EXECUTE format('ALTER TABLE crm.%I REPLICA IDENTITY USING INDEX %I', t.relation, t.relation || '_published');
        END IF;
    END LOOP;
    EXECUTE (SELECT CASE WHEN EXISTS (SELECT FROM pg_publication AS p WHERE p.pubname = name)
                         THEN format('ALTER PUBLICATION %I SET ', name) ELSE format('CREATE PUBLICATION %I FOR ', name) END
                    || string_agg(format('TABLE crm.%I (%s) WHERE (audience_id = ANY (%L::integer[]))', k.key, k.value, audiences), ', ' ORDER BY k.key)
             FROM jsonb_each_text(shown) AS k);
    INSERT INTO crm.partner_publication AS u (name, partner_id, audiences) VALUES (name, partner_id, audiences)
    ON CONFLICT ON CONSTRAINT partner_publication_pkey DO UPDATE SET audiences = excluded.audiences, published_at = now();
END $$;
COMMENT ON FUNCTION crm.publish_audiences(text, bigint, integer[]) IS 'makes a partner''s publication show these audiences and no others';
REVOKE ALL ON FUNCTION crm.publish_audiences(text, bigint, integer[]) FROM PUBLIC;

CREATE FUNCTION crm.create_partner_publication(partner_id bigint, name text) RETURNS integer
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    audiences integer[];
BEGIN
    IF NOT EXISTS (SELECT FROM crm.partner AS p WHERE p.partner_id = partner_id) THEN
        RAISE no_data_found USING MESSAGE = format('partner %s does not exist', coalesce(partner_id::text, 'null'));
    ELSIF coalesce(name, '') = '' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'a publication must have a name';
    ELSIF EXISTS (SELECT FROM pg_publication AS p WHERE p.pubname = name)
          AND NOT EXISTS (SELECT FROM crm.partner_publication AS u WHERE u.name = name AND u.partner_id = partner_id) THEN
        RAISE duplicate_object USING MESSAGE = format('publication "%s" is there already and is not one of partner %s', name, partner_id);
    END IF;
    PERFORM crm.enable_partner_access();
    SELECT array_agg(m.audience_id ORDER BY m.audience_id) INTO audiences
    FROM crm.audience_partner AS m WHERE m.partner_id = partner_id AND m.valid @> now();
    PERFORM crm.publish_audiences(name, partner_id, coalesce(audiences, '{}'));
    RETURN coalesce(cardinality(audiences), 0);
END $$;
COMMENT ON FUNCTION crm.create_partner_publication(bigint, text) IS
    'makes a publication of the customers that a partner sees now, for a database of its own: rows by audience, columns that it may know, of contacts and purchases not by whom or for how much. Who moves goes or comes by himself. When its responsibilities or its contract have come to mean more, call it again, then have its database empty these tables and subscribe anew: what it held before stays there, and REFRESH PUBLICATION brings nothing older; returns the number of audiences';
REVOKE ALL ON FUNCTION crm.create_partner_publication(bigint, text) FROM PUBLIC;

-- A publication's filter is a list: what the partner no longer sees must leave it without anybody's asking. What it sees now
-- and did not before is left out until its database begins anew, for it has nothing of the time before.
CREATE FUNCTION crm.narrow_publications(at timestamptz DEFAULT now()) RETURNS TABLE (name text, partner_id bigint, removed integer, missing integer)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    p record;
BEGIN
    FOR p IN SELECT u.name, u.partner_id, u.audiences, s.kept, s.missing
             FROM crm.partner_publication AS u
             CROSS JOIN LATERAL (
                 SELECT coalesce(array_agg(m.audience_id ORDER BY m.audience_id) FILTER (WHERE m.audience_id = ANY (u.audiences)), '{}') AS kept,
                        (count(*) FILTER (WHERE m.audience_id <> ALL (u.audiences)))::integer AS missing
                 FROM crm.audience_partner AS m WHERE m.partner_id = u.partner_id AND m.valid @> narrow_publications.at) AS s
             WHERE (cardinality(s.kept) < cardinality(u.audiences) OR s.missing > 0)
               AND EXISTS (SELECT FROM pg_publication AS b WHERE b.pubname = u.name)
             ORDER BY u.name LOOP
        IF cardinality(p.kept) < cardinality(p.audiences) THEN
            PERFORM crm.publish_audiences(p.name, p.partner_id, p.kept);
        END IF;
        name := p.name; partner_id := p.partner_id; removed := cardinality(p.audiences) - cardinality(p.kept); missing := p.missing;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION crm.narrow_publications(timestamptz) IS
    'takes out of partners'' publications the audiences that their partners no longer see; returns those that had any, or that miss audiences which they see since: to be made anew by crm.create_partner_publication()';
REVOKE ALL ON FUNCTION crm.narrow_publications(timestamptz) FROM PUBLIC;

-- Joint controllers (GDPR 26): who answers which right of the data subject; the subject may turn to any of them.
CREATE TABLE crm.joint_controller (
    "right" text CHECK ("right" IN ('information', 'access', 'rectification', 'erasure', 'restriction', 'portability', 'objection', 'breach')),
    partner_id bigint REFERENCES crm.partner ON DELETE CASCADE,
    contact text NOT NULL CHECK (contact <> ''),
    essence text NOT NULL CHECK (essence <> ''),
    valid tstzrange NOT NULL DEFAULT tstzrange(now(), NULL) CHECK (NOT isempty(valid)),
    PRIMARY KEY ("right", partner_id),
    CONSTRAINT joint_controller_one_answers EXCLUDE USING gist ("right" WITH =, valid WITH &&)
);
CREATE INDEX joint_controller_partner ON crm.joint_controller (partner_id);
COMMENT ON INDEX crm.joint_controller_partner IS 'the rights that a partner answers';
COMMENT ON TABLE crm.joint_controller IS 'the arrangement of joint controllers (GDPR 26): which partner answers which right of the data subject; one at a time';
COMMENT ON COLUMN crm.joint_controller."right" IS 'information (13, 14), access (15), rectification (16), erasure (17), restriction (18), portability (20), objection (21), breach (33, 34)';
COMMENT ON COLUMN crm.joint_controller.partner_id IS 'the partner that answers';
COMMENT ON COLUMN crm.joint_controller.contact IS 'where the data subject turns to';
COMMENT ON COLUMN crm.joint_controller.essence IS 'what the data subject is told of the arrangement (26(2))';
COMMENT ON COLUMN crm.joint_controller.valid IS 'when the arrangement holds';
GRANT SELECT ON crm.joint_controller TO PUBLIC;
