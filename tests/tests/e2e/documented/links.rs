//! Links between the pages lead somewhere: to a file that is there, and to a heading that it has.

use std::{collections::BTreeSet, fs, path::Path};

use super::{commands::pages, root};

/// How GitHub names a heading in an address.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The headings of a page, not those of a file that it shows.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut in_block = false;
    let headings = text.lines().filter(|line| {
        in_block ^= line.starts_with("```");
        line.starts_with('#') && !in_block
    });
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let mut followed = 0;
    let mut broken = Vec::new();
    for page in pages() {
        let targets = page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.contains(['`', '"', ' '])) {
            let (file, heading) = target
                .split_once('#')
                .map_or((target, None), |(file, at)| (file, Some(at)));
            let folder = Path::new(&page.name).parent().unwrap();
            let path = match file {
                "" => root().join(&page.name),
                file => root().join(folder).join(file),
            };
            followed += 1;
            let has = |heading: &str| fs::read_to_string(&path).is_ok_and(|text| anchors(&text).contains(heading));
            if !path.exists() || heading.is_some_and(|heading| !has(heading)) {
                broken.push(format!("{}: {target}", page.name));
            }
        }
    }
    assert!(followed > 80, "only {followed} links were understood");
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}

#[test]
fn every_page_is_in_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for page in pages().into_iter().filter(|page| page.name != "README.md") {
        assert!(
            readme.contains(&format!("]({})", page.name)) || readme.contains(&format!("]({}#", page.name)),
            "{} is in no list of README.md",
            page.name
        );
    }
}
