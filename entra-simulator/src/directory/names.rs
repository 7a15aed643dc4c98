//! Where the made-up people, places and groups come from: small lists, with letters and marks that trip careless code.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};

/// The domain of the made-up company, unless another is asked for.
pub(crate) const DOMAIN: &str = "kestrelworks.example";

/// A person's name as people write it, with the form that a login name may have.
pub(super) struct Person {
    pub(super) given: String,
    pub(super) surname: String,
    ascii_given: &'static str,
    ascii_surname: &'static str,
}

impl Person {
    pub(super) fn random(rng: &mut StdRng) -> Self {
        let (given, ascii_given) = pick(rng, GIVEN);
        let (surname, ascii_surname) = pick(rng, SURNAMES);
        Self {
            given: given.to_owned(),
            surname: surname.to_owned(),
            ascii_given,
            ascii_surname,
        }
    }

    pub(super) fn display_name(&self) -> String {
        format!("{} {}", self.given, self.surname)
    }

    pub(super) fn login(&self) -> String {
        format!("{}.{}", self.ascii_given, self.ascii_surname)
    }

    pub(super) fn nickname(&self) -> String {
        let initial = self.ascii_given.chars().next().unwrap_or('x');
        format!("{initial}{}", self.ascii_surname.replace(['\'', '-'], ""))
    }
}

/// A new family name, with its login form.
pub(super) fn surname(rng: &mut StdRng) -> (&'static str, &'static str) {
    pick(rng, SURNAMES)
}

pub(super) fn phone(rng: &mut StdRng) -> String {
    let (a, b) = (rng.random_range(100..1000), rng.random_range(0..10_000));
    match rng.random_range(0..5) {
        0 => format!("514555{b:04}"),
        1 => format!("+1 ({a}) 555-{b:04}"),
        2 => format!("+33 1 99 00 {:02} {:02}", b / 100, b % 100),
        3 => format!("+49-30-23125-{b:04}"),
        _ => format!("555-{b:04} x{a}"),
    }
}

pub(super) fn title(rng: &mut StdRng) -> String {
    let grade = pick(rng, &["", "", "Senior ", "Junior ", "Lead ", "Deputy "]);
    format!("{grade}{}", pick(rng, TITLES))
}

pub(super) fn department(rng: &mut StdRng) -> String {
    pick(rng, DEPARTMENTS).to_owned()
}

pub(super) fn office(rng: &mut StdRng) -> String {
    format!("Hall {} / {}", rng.random_range(1..9), rng.random_range(1..400))
}

pub(super) fn street(rng: &mut StdRng) -> String {
    let street = pick(
        rng,
        &[
            "Rue de l'Église",
            "Mill Lane",
            "Königsallee",
            "Calle Peña",
            "Ulica Łąkowa",
            "Harbour Rd.",
        ],
    );
    format!("{} {street}", rng.random_range(1..300))
}

pub(super) fn city(rng: &mut StdRng) -> String {
    pick(
        rng,
        &[
            "Laval",
            "Montréal",
            "Köln",
            "Kraków",
            "Cork",
            "A Coruña",
            "Malmö",
            "Saint-Jérôme",
        ],
    )
    .to_owned()
}

pub(super) fn state(rng: &mut StdRng) -> String {
    pick(rng, &["QC", "ON", "NRW", "Małopolska", "Munster", "Skåne"]).to_owned()
}

pub(super) fn postal_code(rng: &mut StdRng) -> String {
    match rng.random_range(0..3) {
        0 => format!("H{}N 0C{}", rng.random_range(1..10), rng.random_range(1..10)),
        1 => format!("{:05}", rng.random_range(0..100_000)),
        _ => format!("{:02}-{:03}", rng.random_range(0..100), rng.random_range(0..1000)),
    }
}

pub(super) fn country(rng: &mut StdRng) -> String {
    pick(rng, &["Canada", "Germany", "Poland", "Ireland", "Spain", "Sweden"]).to_owned()
}

pub(super) fn language(rng: &mut StdRng) -> String {
    pick(rng, &["fr-CA", "en-CA", "en-GB", "de-DE", "pl-PL", "es-ES", "sv-SE"]).to_owned()
}

/// A group's name; the caller makes it unique.
pub(super) fn group(rng: &mut StdRng) -> String {
    format!("{} {}", pick(rng, GROUP_PLACES), pick(rng, GROUP_ROLES))
}

fn pick<T: Copy>(rng: &mut StdRng, list: &[T]) -> T {
    *list.choose(rng).expect("the lists of names are not empty")
}

const GIVEN: &[(&str, &str)] = &[
    ("Odile", "odile"),
    ("Zoë", "zoe"),
    ("Siobhán", "siobhan"),
    ("Łukasz", "lukasz"),
    ("Søren", "soren"),
    ("Jürgen", "jurgen"),
    ("François", "francois"),
    ("Anaïs", "anais"),
    ("Юлия", "yulia"),
    ("美咲", "misaki"),
    ("Nguyễn An", "nguyen.an"),
    ("Björk", "bjork"),
    ("Iñigo", "inigo"),
    ("Ayşe", "ayse"),
    ("Marie-Claire", "marie-claire"),
    ("D'Arcy", "d'arcy"),
    ("Priya", "priya"),
    ("Kwame", "kwame"),
    ("Tomasz", "tomasz"),
    ("Grace", "grace"),
    ("Hassan", "hassan"),
    ("Leilani", "leilani"),
    ("Otto", "otto"),
    ("Chloe", "chloe"),
    ("Mateo", "mateo"),
    ("Ingrid", "ingrid"),
    ("Rafael", "rafael"),
    ("Nadia", "nadia"),
    ("Viktor", "viktor"),
    ("Esther", "esther"),
    ("Callum", "callum"),
    ("Beatriz", "beatriz"),
];

const SURNAMES: &[(&str, &str)] = &[
    ("Marchetti", "marchetti"),
    ("O'Brien", "o'brien"),
    ("D'Angelo", "d'angelo"),
    ("Müller", "mueller"),
    ("Weiß", "weiss"),
    ("Lindström", "lindstrom"),
    ("Wałęsa", "walesa"),
    ("Nuñez", "nunez"),
    ("Çelik", "celik"),
    ("Петрова", "petrova"),
    ("山田", "yamada"),
    ("Trần", "tran"),
    ("Smith-Jones", "smith-jones"),
    ("van der Berg", "vanderberg"),
    ("Roy", "roy"),
    ("Okafor", "okafor"),
    ("Patel", "patel"),
    ("Haddad", "haddad"),
    ("Kowalski", "kowalski"),
    ("Novák", "novak"),
    ("Sørensen", "sorensen"),
    ("Ó Súilleabháin", "osuilleabhain"),
    ("Bélanger", "belanger"),
    ("Fitzgerald", "fitzgerald"),
    ("Castellano", "castellano"),
    ("Achebe", "achebe"),
    ("Lefèvre", "lefevre"),
    ("Hughes", "hughes"),
    ("Moreau", "moreau"),
    ("Ivanov", "ivanov"),
    ("Tanaka", "tanaka"),
    ("Yılmaz", "yilmaz"),
];

const TITLES: &[&str] = &[
    "Rack technician",
    "Buyer",
    "Network engineer",
    "Controller",
    "Ingénieure réseau",
    "Prüfer (Qualität)",
    "Shift planner",
    "Auditor, internal & external",
    "Account executive",
    "Storekeeper",
];

const DEPARTMENTS: &[&str] = &[
    "Halls",
    "Halls East",
    "Finance",
    "R&D",
    "Qualität",
    "Ventes + marketing",
    "People's office",
    "Legal",
    "Security",
    "Achats",
];

const GROUP_PLACES: &[&str] = &[
    "Rack",
    "Hall 3",
    "Finance",
    "R&D",
    "Équipe réseau",
    "Köln",
    "People's",
    "Night + weekend",
    "Legal",
    "Vault",
];

const GROUP_ROLES: &[&str] = &[
    "Operators",
    "Administrators",
    "Auditors",
    "Readers",
    "Approvers",
    "Contractors",
    "Prüfer",
    "On-call",
];
