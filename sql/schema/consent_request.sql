-- consent, what is asked for and what is remembered after erasure: double opt-in, the list of suppressed addresses, and
-- who may be contacted at present.

-- Secrets ----------------------------------------------------------------------------------------------------------

CREATE TABLE crm.secret (
    name text PRIMARY KEY,
    inner_key bytea NOT NULL CHECK (length(inner_key) = 64),
    outer_key bytea NOT NULL CHECK (length(outer_key) = 64)
);
COMMENT ON TABLE crm.secret IS 'keys of the digests that leave the database or outlive a customer (HMAC-SHA-256, RFC 2104); readable by the owner alone. Whoever has a key can test addresses against crm.suppression';
COMMENT ON COLUMN crm.secret.name IS 'what the key is for';
COMMENT ON COLUMN crm.secret.inner_key IS 'the key, padded to a block, XOR the inner pad';
COMMENT ON COLUMN crm.secret.outer_key IS 'the key, padded to a block, XOR the outer pad';
REVOKE ALL ON crm.secret FROM PUBLIC;
-- 244 random bits each, from the server's strong source.
INSERT INTO crm.secret (name, inner_key, outer_key)
SELECT k.name, string_agg(set_byte('\x00', 0, get_byte(k.key, i) # 54), '' ORDER BY i),
       string_agg(set_byte('\x00', 0, get_byte(k.key, i) # 92), '' ORDER BY i)
FROM (SELECT n.name, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) || decode(repeat('00', 32), 'hex') AS key
      FROM (VALUES ('suppression'), ('unsubscribe')) AS n (name)) AS k, generate_series(0, 63) AS i
GROUP BY k.name ORDER BY k.name;

CREATE FUNCTION crm.keyed_digest(name text, data bytea) RETURNS bytea
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT sha256(s.outer_key || sha256(s.inner_key || data)) FROM crm.secret AS s WHERE s.name = keyed_digest.name);
END $$;
COMMENT ON FUNCTION crm.keyed_digest(text, bytea) IS 'HMAC-SHA-256 (RFC 2104) of the data under a key of crm.secret; 32 bytes';
REVOKE ALL ON FUNCTION crm.keyed_digest(text, bytea) FROM PUBLIC;

-- Suppressed addresses ---------------------------------------------------------------------------------------------

CREATE TABLE crm.suppression (
    digest bytea PRIMARY KEY CHECK (length(digest) = 32),
    channel crm.channel NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    recorded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE crm.suppression IS 'addresses that advertising must never use again, as keyed digests: they outlive the customer, so that an import does not bring the erased back';
COMMENT ON COLUMN crm.suppression.digest IS 'HMAC-SHA-256 of channel and canonical address';
COMMENT ON COLUMN crm.suppression.channel IS 'channel';
COMMENT ON COLUMN crm.suppression.reason IS 'why: objected, erased, complained, as entered';
COMMENT ON COLUMN crm.suppression.recorded_at IS 'since when';

CREATE FUNCTION crm.contact_digest(channel crm.channel, canonical text) RETURNS bytea
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN crm.keyed_digest('suppression', convert_to(channel || ':' || canonical, 'UTF8'));
END $$;
COMMENT ON FUNCTION crm.contact_digest(crm.channel, text) IS 'what stands for an address in crm.suppression';
REVOKE ALL ON FUNCTION crm.contact_digest(crm.channel, text) FROM PUBLIC;

CREATE FUNCTION crm.suppress(channel crm.channel, address text, reason text DEFAULT 'objected') RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF channel IS NULL OR address IS NULL THEN
        RAISE invalid_parameter_value USING MESSAGE = 'what is suppressed must be an address of a channel, neither of them null';
    END IF;
    -- Who is about to send there comes before us, or sees it.
    PERFORM FROM crm.contact_point AS p
    WHERE p.canonical = crm.canonical_contact(suppress.channel, suppress.address) AND p.channel = suppress.channel
    ORDER BY p.contact_point_id FOR NO KEY UPDATE;
    INSERT INTO crm.suppression (digest, channel, reason)
    VALUES (crm.contact_digest(channel, crm.canonical_contact(channel, address)), channel, reason)
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION crm.suppress(crm.channel, text, text) IS
    'puts an address on the list of those that advertising must never use again; says whether it was not yet on it. Telephone numbers in international form';
REVOKE ALL ON FUNCTION crm.suppress(crm.channel, text, text) FROM PUBLIC;

CREATE FUNCTION crm.is_suppressed(channel crm.channel, address text) RETURNS boolean
    LANGUAGE sql STABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM crm.suppression AS s WHERE s.digest = crm.contact_digest(is_suppressed.channel, crm.canonical_contact(is_suppressed.channel, is_suppressed.address)));
$$;
COMMENT ON FUNCTION crm.is_suppressed(crm.channel, text) IS 'is the address on the list of those that advertising must never use';
REVOKE ALL ON FUNCTION crm.is_suppressed(crm.channel, text) FROM PUBLIC;

-- Double opt-in ----------------------------------------------------------------------------------------------------

CREATE TABLE crm.opt_in (
    opt_in_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES crm.customer,
    contact_point_id bigint NOT NULL,
    channel crm.channel NOT NULL,
    canonical text NOT NULL,
    purpose text NOT NULL CHECK (purpose <> ''),
    wording text NOT NULL CHECK (wording <> ''),
    evidence text,
    token_digest bytea NOT NULL UNIQUE,
    requested_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    consent_id bigint REFERENCES crm.consent,
    CONSTRAINT opt_in_confirmed CHECK ((confirmed_at IS NULL) = (consent_id IS NULL))
);
CREATE INDEX opt_in_customer ON crm.opt_in (customer_id);
CREATE INDEX opt_in_consent ON crm.opt_in (consent_id) WHERE consent_id IS NOT NULL;
COMMENT ON INDEX crm.opt_in_customer IS 'requests by customer';
COMMENT ON INDEX crm.opt_in_consent IS 'the request that led to a consent';
COMMENT ON TABLE crm.opt_in IS 'double opt-in: consents that wait to be confirmed over the contact point itself, and those that were';
COMMENT ON COLUMN crm.opt_in.opt_in_id IS 'key';
COMMENT ON COLUMN crm.opt_in.customer_id IS 'whose consent';
COMMENT ON COLUMN crm.opt_in.contact_point_id IS 'contact point that it is for, and over which it is confirmed';
COMMENT ON COLUMN crm.opt_in.channel IS 'channel';
COMMENT ON COLUMN crm.opt_in.canonical IS 'the address at the time of the request: a changed one cannot be confirmed';
COMMENT ON COLUMN crm.opt_in.purpose IS 'purpose';
COMMENT ON COLUMN crm.opt_in.wording IS 'the text that is agreed to';
COMMENT ON COLUMN crm.opt_in.evidence IS 'what shows the request: form, address, agent';
COMMENT ON COLUMN crm.opt_in.token_digest IS 'SHA-256 of the token; the token itself is in the confirmation message alone';
COMMENT ON COLUMN crm.opt_in.requested_at IS 'when it was asked for';
COMMENT ON COLUMN crm.opt_in.expires_at IS 'until when it can be confirmed';
COMMENT ON COLUMN crm.opt_in.confirmed_at IS 'when it was confirmed; null: not yet';
COMMENT ON COLUMN crm.opt_in.consent_id IS 'the entry in the ledger that came of it';

CREATE FUNCTION crm.request_opt_in(contact_point_id bigint, purpose text, wording text, evidence text DEFAULT NULL,
                                   valid_for interval DEFAULT '7 days') RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    point crm.contact_point;
    token text := encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'hex');
BEGIN
    SELECT * INTO point FROM crm.contact_point AS p WHERE p.contact_point_id = request_opt_in.contact_point_id;
    IF point IS NULL THEN
        RAISE no_data_found USING MESSAGE = format('contact point %s does not exist', coalesce(request_opt_in.contact_point_id::text, 'null'));
    END IF;
    IF valid_for IS NULL OR valid_for <= '0' OR valid_for > '90 days' THEN
        RAISE invalid_parameter_value USING MESSAGE = 'a request for consent must be valid for more than nothing and at most 90 days';
    END IF;
    INSERT INTO crm.opt_in (customer_id, contact_point_id, channel, canonical, purpose, wording, evidence, token_digest, expires_at)
    VALUES (point.customer_id, point.contact_point_id, point.channel, point.canonical, purpose, wording, evidence,
            sha256(convert_to(token, 'UTF8')), now() + valid_for);
    RETURN token;
END $$;
COMMENT ON FUNCTION crm.request_opt_in(bigint, text, text, text, interval) IS
    'begins a double opt-in and returns the token to be sent over the contact point, in a message of purpose confirmation; only its digest is kept';
REVOKE ALL ON FUNCTION crm.request_opt_in(bigint, text, text, text, interval) FROM PUBLIC;

CREATE FUNCTION crm.confirm_opt_in(token text, evidence text DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    request crm.opt_in;
    entry bigint;
BEGIN
    -- The order of locks is that of a contact: contact point, customer, then what depends on them.
    SELECT * INTO request FROM crm.opt_in AS o WHERE o.token_digest = sha256(convert_to(token, 'UTF8'));
    IF NOT FOUND THEN
        RAISE no_data_found USING MESSAGE = 'there is no request for consent with this token';
    END IF;
    PERFORM FROM crm.contact_point AS p
    WHERE p.contact_point_id = request.contact_point_id AND p.customer_id = request.customer_id AND p.canonical = request.canonical
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE check_violation USING
            MESSAGE = 'the request for consent can no longer be confirmed',
            DETAIL = 'The contact point that it was for has changed.', CONSTRAINT = 'opt_in_contact_point', SCHEMA = 'crm', TABLE = 'opt_in';
    END IF;
    SELECT * INTO request FROM crm.opt_in AS o WHERE o.opt_in_id = request.opt_in_id FOR UPDATE;
    IF request.consent_id IS NOT NULL THEN
        RETURN request.consent_id;
    ELSIF request.expires_at <= now() THEN
        RAISE check_violation USING
            MESSAGE = 'the request for consent can no longer be confirmed',
            DETAIL = format('It expired at %s.', request.expires_at), CONSTRAINT = 'opt_in_expired', SCHEMA = 'crm', TABLE = 'opt_in';
    END IF;
    INSERT INTO crm.consent AS k (customer_id, channel, purpose, contact_point_id, status, basis, wording, evidence)
    VALUES (request.customer_id, request.channel, request.purpose, request.contact_point_id, 'granted', 'double_opt_in', request.wording,
            concat_ws('; ', request.evidence, 'requested ' || request.requested_at, 'confirmed ' || now(), evidence))
    RETURNING k.consent_id INTO entry;
    UPDATE crm.opt_in AS o SET confirmed_at = now(), consent_id = entry WHERE o.opt_in_id = request.opt_in_id;
    UPDATE crm.contact_point AS p SET verified_at = now() WHERE p.contact_point_id = request.contact_point_id;
    RETURN entry;
END $$;
COMMENT ON FUNCTION crm.confirm_opt_in(text, text) IS
    'ends a double opt-in: writes the consent with both times as evidence, notes that the contact point is verified, and returns the entry; again with the same token: the same entry';
REVOKE ALL ON FUNCTION crm.confirm_opt_in(text, text) FROM PUBLIC;

-- Who may be contacted ---------------------------------------------------------------------------------------------

CREATE FUNCTION crm.needed_basis(country text, channel crm.channel, kind crm.customer_kind, purpose text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(
        (SELECT r.basis FROM crm.contact_rule AS r
         WHERE r.channel = needed_basis.channel
           AND (r.country = needed_basis.country OR r.country IS NULL)
           AND (r.audience = CASE needed_basis.kind WHEN 'organisation' THEN 'business' ELSE 'consumer' END OR r.audience IS NULL)
           AND (r.purpose = needed_basis.purpose OR r.purpose IS NULL)
         ORDER BY r.purpose IS NULL, r.country IS NULL, r.audience IS NULL LIMIT 1),
        (SELECT CASE WHEN p.requires_consent THEN 'consent' ELSE 'legitimate_interest' END
         FROM crm.channel_policy AS p WHERE p.channel = needed_basis.channel),
        'consent');
END;
COMMENT ON FUNCTION crm.needed_basis(text, crm.channel, crm.customer_kind, text) IS
    'the weakest basis on which advertising of this purpose may reach customers of this country and kind over the channel: by crm.contact_rule, else by crm.channel_policy';

-- What crm.contact_rule and crm.channel_policy come to: small, read for every message, and worth a look.
CREATE TABLE crm.contact_need (
    country text,
    kind crm.customer_kind,
    channel crm.channel,
    purpose text,
    basis text NOT NULL REFERENCES crm.legal_basis,
    strength integer NOT NULL,
    bases text[] NOT NULL,
    PRIMARY KEY (country, kind, channel, purpose)
);
CREATE INDEX contact_need_basis ON crm.contact_need (basis);
COMMENT ON INDEX crm.contact_need_basis IS 'needs by basis';
COMMENT ON TABLE crm.contact_need IS 'derived: the basis that advertising needs, from crm.contact_rule, crm.channel_policy, crm.purpose and crm.legal_basis; kept by their triggers';
COMMENT ON COLUMN crm.contact_need.country IS 'country of the customer; empty: every country that has no rule of its own, and none';
COMMENT ON COLUMN crm.contact_need.kind IS 'kind of customer';
COMMENT ON COLUMN crm.contact_need.channel IS 'channel';
COMMENT ON COLUMN crm.contact_need.purpose IS 'purpose; empty: every one that is not listed in crm.purpose';
COMMENT ON COLUMN crm.contact_need.basis IS 'the weakest basis that is enough';
COMMENT ON COLUMN crm.contact_need.strength IS 'its strength';
COMMENT ON COLUMN crm.contact_need.bases IS 'every basis that is enough: it and those as strong';
GRANT SELECT ON crm.contact_need TO PUBLIC;

CREATE FUNCTION crm.contact_need_refresh() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    LOCK TABLE crm.contact_need IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM crm.contact_need;
    INSERT INTO crm.contact_need (country, kind, channel, purpose, basis, strength, bases)
    SELECT coalesce(g.country, ''), k.kind, c.channel, coalesce(u.purpose, ''), b.basis, b.strength,
           ARRAY(SELECT e.basis FROM crm.legal_basis AS e WHERE e.strength >= b.strength ORDER BY e.strength DESC, e.basis)
    FROM (SELECT DISTINCT r.country FROM crm.contact_rule AS r WHERE r.country IS NOT NULL UNION ALL VALUES (NULL)) AS g
    CROSS JOIN unnest(enum_range(NULL::crm.customer_kind)) AS k (kind)
    CROSS JOIN unnest(enum_range(NULL::crm.channel)) AS c (channel)
    CROSS JOIN (SELECT p.purpose FROM crm.purpose AS p WHERE p.is_advertising
                UNION SELECT r.purpose FROM crm.contact_rule AS r
                WHERE NOT EXISTS (SELECT FROM crm.purpose AS p WHERE p.purpose = r.purpose AND NOT p.is_advertising)
                UNION VALUES (NULL)) AS u
    JOIN crm.legal_basis AS b ON b.basis = crm.needed_basis(g.country, c.channel, k.kind, u.purpose);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION crm.contact_need_refresh() IS 'trigger of the tables of rules: makes crm.contact_need anew';
REVOKE ALL ON FUNCTION crm.contact_need_refresh() FROM PUBLIC;
CREATE TRIGGER contact_need AFTER INSERT OR UPDATE OR DELETE ON crm.contact_rule
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_need_refresh();
CREATE TRIGGER contact_need AFTER INSERT OR UPDATE OR DELETE ON crm.purpose
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_need_refresh();
CREATE TRIGGER contact_need AFTER INSERT OR DELETE OR UPDATE OF channel, requires_consent ON crm.channel_policy
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_need_refresh();
CREATE TRIGGER contact_need AFTER INSERT OR DELETE OR UPDATE OF basis, strength ON crm.legal_basis
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_need_refresh();
COMMENT ON TRIGGER contact_need ON crm.contact_rule IS 'keeps crm.contact_need';
COMMENT ON TRIGGER contact_need ON crm.purpose IS 'keeps crm.contact_need';
COMMENT ON TRIGGER contact_need ON crm.channel_policy IS 'keeps crm.contact_need';
COMMENT ON TRIGGER contact_need ON crm.legal_basis IS 'keeps crm.contact_need';
UPDATE crm.legal_basis SET strength = strength;

-- With a plan of its own, asked once a query: a query for one customer is planned the quicker.
CREATE FUNCTION crm.is_any_suppressed() RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM crm.suppression);
END $$;
COMMENT ON FUNCTION crm.is_any_suppressed() IS 'is there any address that advertising must never use';

-- Needs and entries are joined by left joins, of which the planner expects as many rows as there are contact points: of inner ones it
-- expects a hundredth, and then probes where it should hash. A country without rules of its own has no needs.
CREATE VIEW crm.contact_candidate WITH (security_invoker = true) AS
SELECT c.customer_id, t.channel, u.purpose, t.contact_point_id, t.is_primary, k.consent_id, k.status = 'objected' AS is_objection, k.recorded_at,
       CASE WHEN k.consent_id IS NULL THEN n.strength <= 10
            ELSE k.status = 'granted' AND k.basis = ANY (n.bases) AND (k.expires_at > now() OR k.expires_at IS NULL) END
       -- The list of suppressed addresses is for what comes back after erasure: mostly empty, so asked only if it is not.
       AND CASE WHEN (SELECT crm.is_any_suppressed()) THEN NOT crm.is_suppressed(t.channel, t.canonical) ELSE true END AS permits
FROM crm.customer AS c
JOIN crm.contact_point AS t ON t.customer_id = c.customer_id
CROSS JOIN crm.purpose AS u
LEFT JOIN crm.contact_need AS n
    ON n.country = CASE WHEN c.country = ANY (ARRAY(SELECT r.country FROM crm.contact_rule AS r)) THEN c.country ELSE '' END
        AND n.kind = c.kind AND n.channel = t.channel AND n.purpose = u.purpose
LEFT JOIN crm.consent AS k ON k.customer_id = t.customer_id AND k.is_current
    AND (k.channel = t.channel OR k.channel IS NULL) AND (k.purpose = u.purpose OR k.purpose IS NULL)
    AND (k.contact_point_id = t.contact_point_id OR k.contact_point_id IS NULL)
WHERE t.blocked_at IS NULL AND u.is_advertising;
COMMENT ON VIEW crm.contact_candidate IS
    'every usable contact point for every purpose of advertising of crm.purpose, with each current entry of the ledger that covers it; of the entries of a contact point an objection counts first, then the newest';
COMMENT ON COLUMN crm.contact_candidate.customer_id IS 'customer';
COMMENT ON COLUMN crm.contact_candidate.channel IS 'channel';
COMMENT ON COLUMN crm.contact_candidate.purpose IS 'purpose';
COMMENT ON COLUMN crm.contact_candidate.contact_point_id IS 'contact point';
COMMENT ON COLUMN crm.contact_candidate.is_primary IS 'is it the one to use first';
COMMENT ON COLUMN crm.contact_candidate.consent_id IS 'entry in the ledger; null: there is none';
COMMENT ON COLUMN crm.contact_candidate.is_objection IS 'is it an objection';
COMMENT ON COLUMN crm.contact_candidate.recorded_at IS 'when it was said';
COMMENT ON COLUMN crm.contact_candidate.permits IS 'does it permit a contact, or that there is none, and is the address not suppressed';

-- Joined and then sorted, not asked point by point: the whole base is read by analyses. A single customer is found by the
-- indexes all the same, for conditions on customer, channel and purpose reach them through DISTINCT ON. The inner order, where
-- is_primary goes with the contact point, is that of the outer one too, so it is sorted once.
CREATE VIEW crm.contact_permission WITH (security_invoker = true) AS
SELECT DISTINCT ON (s.customer_id, s.channel, s.purpose) s.customer_id, s.channel, s.purpose, s.contact_point_id, s.consent_id
FROM (SELECT DISTINCT ON (p.customer_id, p.channel, p.purpose, p.is_primary, p.contact_point_id) p.*
      FROM crm.contact_candidate AS p
      ORDER BY p.customer_id, p.channel, p.purpose, p.is_primary DESC, p.contact_point_id,
               p.is_objection DESC, p.recorded_at DESC, p.consent_id DESC) AS s
WHERE s.permits
ORDER BY s.customer_id, s.channel, s.purpose, s.is_primary DESC, s.contact_point_id;
COMMENT ON VIEW crm.contact_permission IS
    'over which channels each customer may be contacted for which advertising purpose, and where: usable and permitted at present, whatever the hour and the caps; for the purposes of crm.purpose';
COMMENT ON COLUMN crm.contact_permission.customer_id IS 'customer';
COMMENT ON COLUMN crm.contact_permission.channel IS 'channel';
COMMENT ON COLUMN crm.contact_permission.purpose IS 'purpose';
COMMENT ON COLUMN crm.contact_permission.contact_point_id IS 'contact point';
COMMENT ON COLUMN crm.contact_permission.consent_id IS 'the entry in the ledger that permits it; null: none is needed';
