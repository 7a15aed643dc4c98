//! The order of things that come after one another, and the circles among them. A node is a number; `after[n]` are those
//! that come before `n`. Nothing here recurses: a chain may be as long as a request.

use std::{cmp::Reverse, collections::BinaryHeap};

/// All nodes that are in no circle and after none, each after what it comes after; the smaller number first where both
/// may come.
pub(super) fn order(after: &[Vec<usize>]) -> Vec<usize> {
    let before = reversed(after);
    let mut waits: Vec<usize> = after.iter().map(Vec::len).collect();
    let free = (0..after.len()).filter(|node| waits[*node] == 0);
    let mut free: BinaryHeap<_> = free.map(Reverse).collect();
    let mut order = Vec::with_capacity(after.len());
    while let Some(Reverse(node)) = free.pop() {
        order.push(node);
        for &next in &before[node] {
            waits[next] -= 1;
            if waits[next] == 0 {
                free.push(Reverse(next));
            }
        }
    }
    order
}

/// For each node the circle it is in, by the number of one of its nodes; `None` for those that are in none. Circles that
/// share a node are one (the strongly connected components, after Kosaraju).
pub(super) fn circles(after: &[Vec<usize>]) -> Vec<Option<usize>> {
    let before = reversed(after);
    let mut circles = vec![None; after.len()];
    let mut placed = vec![false; after.len()];
    for &root in finished(after).iter().rev() {
        if placed[root] {
            continue;
        }
        placed[root] = true;
        let (mut circle, mut at) = (vec![root], 0);
        while let Some(&node) = circle.get(at) {
            at += 1;
            for &next in &before[node] {
                if !std::mem::replace(&mut placed[next], true) {
                    circle.push(next);
                }
            }
        }
        if circle.len() > 1 || after[root].contains(&root) {
            for node in circle {
                circles[node] = Some(root);
            }
        }
    }
    circles
}

/// All nodes in the order in which a walk in depth is done with them.
fn finished(after: &[Vec<usize>]) -> Vec<usize> {
    let mut finished = Vec::with_capacity(after.len());
    let mut seen = vec![false; after.len()];
    for start in 0..after.len() {
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        let mut way = vec![(start, 0)];
        while let Some((node, next)) = way.last_mut() {
            if let Some(&to) = after[*node].get(*next) {
                *next += 1;
                if !std::mem::replace(&mut seen[to], true) {
                    way.push((to, 0));
                }
            } else {
                finished.push(*node);
                way.pop();
            }
        }
    }
    finished
}

fn reversed(after: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut before = vec![Vec::new(); after.len()];
    for (node, earlier) in after.iter().enumerate() {
        for &earlier in earlier {
            before[earlier].push(node);
        }
    }
    before
}
