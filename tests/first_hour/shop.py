"""A shop: accounts, addresses, catalogue, orders, payments, reviews and the tables of its framework."""

from __future__ import annotations

import json
from typing import Any

import psycopg

from tests.first_hour.filling import EITHER, Crowd, fill, prose
from tests.first_hour.oddities import GOODS, goods

__all__ = ["DATABASE", "LABELS", "QUESTION", "build"]

DATABASE = "shop"
QUESTION = "SELECT id, status, total FROM orders WHERE status = 'shipped' ORDER BY total DESC, id LIMIT 5"
SCHEMA = """
CREATE TYPE order_status AS ENUM ('cart', 'paid', 'shipped', 'cancelled');
CREATE TABLE content_types (id serial PRIMARY KEY, app_label varchar(100), model varchar(100), UNIQUE (app_label,
    model));
CREATE TABLE migrations (id serial PRIMARY KEY, app varchar(255), name varchar(255), applied timestamptz);
CREATE TABLE auth_permission (id serial PRIMARY KEY, name varchar(255), content_type_id int REFERENCES content_types,
    codename varchar(100), UNIQUE (content_type_id, codename));
CREATE TABLE auth_group (id serial PRIMARY KEY, name varchar(150) UNIQUE);
CREATE TABLE auth_user (id serial PRIMARY KEY, password varchar(128), last_login timestamptz, is_superuser boolean,
    username varchar(150) UNIQUE, first_name varchar(150), last_name varchar(150), email varchar(254), is_staff
    boolean, date_joined timestamptz);
CREATE TABLE session (session_key varchar(40) PRIMARY KEY, session_data text, expire_date timestamptz);
CREATE TABLE countries (iso_3166_1_a2 varchar(2) PRIMARY KEY, iso_3166_1_a3 varchar(3) UNIQUE, printable_name
    varchar(128), display_order int);
CREATE TABLE currencies (code char(3) PRIMARY KEY, name varchar(64), symbol varchar(4));
CREATE TABLE tax_classes (id serial PRIMARY KEY, name varchar(60) UNIQUE, rate numeric(5,2));
CREATE TABLE shipping_methods (id serial PRIMARY KEY, name varchar(128) UNIQUE, code varchar(128) UNIQUE,
    description text);
CREATE TABLE warehouses (id serial PRIMARY KEY, name varchar(100), timezone varchar(60), capacity int);
CREATE TABLE brands (id serial PRIMARY KEY, name varchar(100) UNIQUE, slug varchar(100) UNIQUE);
CREATE TABLE categories (id serial PRIMARY KEY, parent_id int REFERENCES categories, name varchar(255), slug
    varchar(255) UNIQUE, path varchar(255) UNIQUE, depth int);
CREATE TABLE attributes (id serial PRIMARY KEY, code varchar(128) UNIQUE, name varchar(128), kind varchar(20));
CREATE TABLE products (id serial PRIMARY KEY, upc varchar(64) UNIQUE, title varchar(255), slug varchar(255),
    description text, brand_id int REFERENCES brands, category_id int REFERENCES categories, tax_class_id int
    REFERENCES tax_classes, weight numeric(8,2), price numeric(10,2), color varchar(40), rating float8, is_public
    boolean, created_at timestamptz);
CREATE TABLE product_attributes (product_id int REFERENCES products, attribute_id int REFERENCES attributes,
    value_text varchar(100));
CREATE TABLE images (id serial PRIMARY KEY, product_id int REFERENCES products, original varchar(255), caption
    varchar(200), mime_type varchar(60), width int);
CREATE TABLE addresses (id serial PRIMARY KEY, user_id int REFERENCES auth_user, title varchar(64), first_name
    varchar(255), last_name varchar(255), line1 varchar(255), line4 varchar(255), state varchar(255), postcode
    varchar(64), country_id varchar(2) REFERENCES countries, phone_number varchar(128), notes text);
CREATE TABLE orders (id serial PRIMARY KEY, number varchar(128) UNIQUE, user_id int REFERENCES auth_user, status
    order_status NOT NULL, currency char(3) REFERENCES currencies, total numeric(12,2), shipping_method_id int
    REFERENCES shipping_methods, shipping_address_id int REFERENCES addresses, guest_email varchar(254), ip_address
    inet, date_placed timestamptz, meta jsonb, CHECK (total >= 0));
CREATE TABLE order_lines (id serial PRIMARY KEY, order_id int REFERENCES orders, product_id int REFERENCES products,
    partner_sku varchar(128), quantity int CHECK (quantity > 0), unit_price numeric(12,2));
CREATE TABLE payments (id serial PRIMARY KEY, order_id int REFERENCES orders, gateway varchar(30) CHECK (gateway IN
    ('stripe', 'paypal', 'adyen')), reference varchar(100), card_brand varchar(20), card_holder varchar(100), last4
    varchar(4), iban varchar(40), amount numeric(12,2), response jsonb);
CREATE TABLE reviews (id serial PRIMARY KEY, product_id int REFERENCES products, score int, title varchar(255), body
    text, name varchar(255), email varchar(254), status varchar(20));
CREATE TABLE vouchers (id serial PRIMARY KEY, name varchar(128) UNIQUE, code varchar(128) UNIQUE, usage varchar(128));
CREATE TABLE webhook_deliveries (id serial PRIMARY KEY, event varchar(60), method varchar(10), url varchar(200),
    status_code int, headers jsonb, created_at timestamptz);
CREATE TABLE configuration (key varchar(100) PRIMARY KEY, value varchar(250));
CREATE INDEX ON orders (status, total DESC);
"""
LABELS = {
    **GOODS,
    "public.auth_user.password": "secret", "public.auth_user.username": "username", "public.auth_user.email": "email",
    **dict.fromkeys(("public.auth_user.first_name", "public.auth_user.last_name", "public.addresses.first_name",
                     "public.addresses.last_name", "public.payments.card_holder", "public.reviews.name"), "person"),
    "public.session.session_key": "secret", "public.session.session_data": "secret text",
    "public.addresses.line1": "address", "public.addresses.line4": "address", "public.addresses.postcode": "address",
    "public.addresses.phone_number": "phone", "public.addresses.notes": "text", "public.addresses.title": EITHER,
    "public.addresses.state": EITHER, "public.orders.number": EITHER, "public.orders.guest_email": "email",
    "public.orders.ip_address": "ip", "public.orders.meta $.gift_to": "person text", "public.orders.meta $.ua": EITHER,
    "public.payments.reference": EITHER, "public.payments.last4": EITHER, "public.payments.iban": "iban",
    "public.payments.response $.billing_details.email": "email",
    "public.payments.response $.billing_details.name": "person",
    "public.payments.response $.id": EITHER, "public.reviews.title": EITHER, "public.reviews.body": "text",
    "public.reviews.email": "email", "public.webhook_deliveries.url": EITHER,
    "public.webhook_deliveries.headers $['X-Signature']": "secret", "public.warehouses.name": EITHER,
    "public.brands.name": EITHER, "public.brands.slug": EITHER, "public.images.original": EITHER,
    "public.vouchers.name": EITHER, "public.vouchers.code": EITHER,
}  # fmt: skip

_COUNTRIES = {
    "DE": ("DEU", "Germany"), "FR": ("FRA", "France"), "US": ("USA", "United States"), "JO": ("JOR", "Jordan"),
    "TD": ("TCD", "Chad"), "GE": ("GEO", "Georgia"), "KE": ("KEN", "Kenya"), "IE": ("IRL", "Ireland"),
    "CH": ("CHE", "Switzerland"), "IT": ("ITA", "Italy"), "ES": ("ESP", "Spain"), "BR": ("BRA", "Brazil"),
}  # fmt: skip
_COLORS = ("Olive", "Amber", "Hazel", "Scarlett", "Ruby", "Navy", "Jade", "Violet")
_BRANDS = ("Levi's", "Hugo Boss", "Calvin Klein", "Marc Jacobs", "Nike", "Tommy Hilfiger", "Acme", "Paul Smith")
_THINGS = ("shirt", "jacket", "lamp", "kettle", "mug", "chair", "backpack", "notebook", "scarf", "radio", "blanket")


def build(conn: psycopg.Connection[Any], rows: int = 400) -> None:
    """Make all tables; `rows` orders, and of the rest what belongs to so many."""
    crowd = Crowd(32)
    rnd, us = crowd.random, crowd.us
    conn.execute(SCHEMA.encode())
    models = ("user", "group", "product", "order", "address", "session", "voucher", "country", "review", "permission")
    fill(conn, "content_types", "app_label, model", [(f"app_{i % 3}", one) for i, one in enumerate(models)])
    steps = ("initial", "add_email", "alter_user_username", "auto_2023", "rename_owner")
    fill(
        conn,
        "migrations",
        "app, name, applied",
        [(f"app_{i % 5}", f"{i:04}_{rnd.choice(steps)}", "2023-01-01") for i in range(60)],
    )
    fill(
        conn,
        "auth_permission",
        "name, content_type_id, codename",
        [
            (f"Can {a} {m}", i + 1, f"{a}_{m}")
            for i, m in enumerate(models)
            for a in ("add", "change", "delete", "view")
        ],
    )
    fill(conn, "auth_group", "name", [("Fulfilment partners",), ("Editors",), ("Customer care",)])
    people = [crowd.person(i) for i in range(rows // 2)]
    fill(
        conn,
        "auth_user",
        "password, last_login, is_superuser, username, first_name, last_name, email, is_staff, date_joined",
        [
            (
                f"pbkdf2_sha256$600000${us.md5()[:22]}${us.sha256()[:43]}=",
                "2024-05-05" if i % 3 else None,
                i == 0,
                p["login"],
                p["first"],
                p["last"],
                p["email"],
                i < 5,
                "2023-02-03",
            )
            for i, p in enumerate(people)
        ],
    )
    fill(
        conn,
        "session",
        "session_key, session_data, expire_date",
        [(us.sha256()[:32], f".eJx{us.sha256()}:{us.md5()}", "2024-08-08") for _ in range(120)],
    )
    fill(
        conn,
        "countries",
        "iso_3166_1_a2, iso_3166_1_a3, printable_name, display_order",
        [(a2, a3, name, 0) for a2, (a3, name) in _COUNTRIES.items()],
    )
    fill(
        conn,
        "currencies",
        "code, name, symbol",
        [("EUR", "Euro", "€"), ("USD", "US Dollar", "$"), ("GBP", "Pound", "£"), ("CHF", "Swiss Franc", "Fr")],
    )
    fill(conn, "tax_classes", "name, rate", [("Standard", 19), ("Reduced", 7), ("Exempt", 0)])
    fill(
        conn,
        "shipping_methods",
        "name, code, description",
        [
            ("DHL Express", "dhl-express", "In two days"),
            ("Pickup", "pickup", "At the store"),
            ("Royal Mail", "royal-mail", "Within the UK"),
        ],
    )
    fill(
        conn,
        "warehouses",
        "name, timezone, capacity",
        [("Hamburg North", "Europe/Berlin", 900), ("Austin", "America/Chicago", 800), ("Lyon", "Europe/Paris", 500)],
    )
    fill(conn, "brands", "name, slug", [(b, b.lower().replace(" ", "-").replace("'", "")) for b in _BRANDS])
    fill(
        conn,
        "categories",
        "parent_id, name, slug, path, depth",
        [
            (None if i < 4 else i % 4 + 1, f"{t.title()}s", f"{t}s", f"{i:08}", 1 if i < 4 else 2)
            for i, t in enumerate(_THINGS)
        ],
    )
    fill(
        conn,
        "attributes",
        "code, name, kind",
        [
            ("color", "Color", "text"),
            ("size", "Size", "option"),
            ("weight", "Weight", "float"),
            ("material", "Material", "text"),
            ("gender", "Gender", "option"),
        ],
    )
    fill(
        conn,
        "products",
        "upc, title, slug, description, brand_id, category_id, tax_class_id, weight, price, color,"
        " rating, is_public, created_at",
        [
            (
                us.unique.ean13(),
                f"{c} {t} {i}",
                f"{c.lower()}-{t}-{i}",
                prose(rnd),
                i % 8 + 1,
                i % 11 + 1,
                i % 3 + 1,
                rnd.randint(10, 900) / 100,
                rnd.randint(500, 90000) / 100,
                c,
                rnd.random() * 5,
                True,
                "2023-03-03",
            )
            for i in range(300)
            for c, t in ((rnd.choice(_COLORS), rnd.choice(_THINGS)),)
        ],
    )
    fill(
        conn,
        "product_attributes",
        "product_id, attribute_id, value_text",
        [(i + 1, 1, rnd.choice(_COLORS)) for i in range(300)],
    )
    fill(
        conn,
        "images",
        "product_id, original, caption, mime_type, width",
        [
            (i + 1, f"images/products/2023/{i}.jpg", "", rnd.choice(("image/jpeg", "image/png")), 800)
            for i in range(200)
        ],
    )
    fill(
        conn,
        "addresses",
        "user_id, title, first_name, last_name, line1, line4, state, postcode, country_id, phone_number, notes",
        [
            (
                i + 1,
                rnd.choice(("Mr", "Ms", "Dr", "")),
                p["first"],
                p["last"],
                p["street"],
                p["city"],
                rnd.choice(("", "Texas", "Bavaria", "Virginia")),
                p["zip"],
                rnd.choice(list(_COUNTRIES)),
                p["phone"],
                prose(rnd, p["name"], 3, 8) if i % 5 == 0 else "",
            )
            for i, p in enumerate(people)
        ],
    )
    fill(
        conn,
        "orders",
        "number, user_id, status, currency, total, shipping_method_id, shipping_address_id, guest_email,"
        " ip_address, date_placed, meta",
        [
            (
                f"{100000 + i}",
                i % len(people) + 1,
                rnd.choice(("cart", "paid", "shipped", "cancelled")),
                rnd.choice(("EUR", "USD", "GBP")),
                rnd.randint(900, 90000) / 100,
                i % 3 + 1,
                i % len(people) + 1,
                people[i % 90]["email"] if i % 7 == 0 else None,
                people[i % 80]["ip"],
                f"2024-04-{i % 28 + 1:02}",
                json.dumps(
                    {
                        "channel": rnd.choice(("web", "app")),
                        "ua": us.user_agent(),
                        "gift_to": people[i % 70]["name"],
                        "coupon": None,
                        "items": i % 5,
                    }
                ),
            )
            for i in range(rows)
        ],
    )
    fill(
        conn,
        "order_lines",
        "order_id, product_id, partner_sku, quantity, unit_price",
        [(i % rows + 1, i % 300 + 1, f"SKU-{i % 300:05}", i % 4 + 1, 9.5) for i in range(rows * 2)],
    )
    fill(
        conn,
        "payments",
        "order_id, gateway, reference, card_brand, card_holder, last4, iban, amount, response",
        [
            (
                i + 1,
                rnd.choice(("stripe", "paypal", "adyen")),
                f"ch_{us.md5()[:24]}",
                rnd.choice(("visa", "mastercard", "amex")),
                p["name"],
                f"{rnd.randint(0, 9999):04}",
                us.iban() if i % 3 == 0 else None,
                12.5,
                json.dumps(
                    {
                        "id": f"pi_{us.md5()[:24]}",
                        "object": "charge",
                        "paid": True,
                        "currency": "eur",
                        "outcome": {"network_status": "approved_by_network", "risk_level": "normal"},
                        "billing_details": {"email": p["email"], "name": p["name"]},
                    }
                ),
            )
            for i in range(rows)
            for p in (people[i % len(people)],)
        ],
    )
    fill(
        conn,
        "reviews",
        "product_id, score, title, body, name, email, status",
        [
            (
                i % 300 + 1,
                i % 5 + 1,
                rnd.choice(("Great", "Good value", "Broken on arrival", "Would buy again", "Meh")),
                prose(rnd, p["name"]),
                p["name"],
                p["email"],
                rnd.choice(("approved", "new")),
            )
            for i, p in enumerate(people)
        ],
    )
    fill(conn, "vouchers", "name, code, usage", [(f"Sale {i}", f"SAVE{i:03}X", "Multi-use") for i in range(30)])
    fill(
        conn,
        "webhook_deliveries",
        "event, method, url, status_code, headers, created_at",
        [
            (
                rnd.choice(("order.created", "order.paid", "user.deleted")),
                "POST",
                "https://erp.example.com/hooks/orders",
                rnd.choice((200, 500)),
                json.dumps({"Content-Type": "application/json", "X-Signature": us.sha256()}),
                "2024-04-05",
            )
            for _ in range(150)
        ],
    )
    keys = ("site_name", "default_currency", "mail_from_name", "checkout_guest", "theme", "items_per_page", "tax_zone")
    fill(conn, "configuration", "key, value", [(k, f"value {i}") for i, k in enumerate(keys)])
    goods(conn, crowd)
