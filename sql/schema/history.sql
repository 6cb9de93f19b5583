-- history: each customer's purchases as the sufficient statistic of the customer-base models.

CREATE TABLE crm.customer_history (
    customer_id bigint,
    currency text,
    history crm.buying_history NOT NULL,
    PRIMARY KEY (customer_id, currency)
) WITH (fillfactor = 80);
COMMENT ON TABLE crm.customer_history IS 'derived: each customer''s purchases in each currency, summed up; kept by the loop';
COMMENT ON COLUMN crm.customer_history.customer_id IS 'customer; no foreign key, since the purchases it comes from have one';
COMMENT ON COLUMN crm.customer_history.currency IS 'currency (ISO 4217)';
COMMENT ON COLUMN crm.customer_history.history IS 'the purchases as a buying history';
