//! What a set takes, what it makes of it, and what it refuses.

use super::*;

#[test]
fn what_is_taken_is_normalised() {
    for (text, normal) in [
        ("1", "1"),
        ("007", "7"),
        ("4294967295", "4294967295"),
        ("1:*", "1:*"),
        ("*:1", "1:*"),
        ("*", "*"),
        ("*:*", "*"),
        ("*,*", "*"),
        ("3:3", "3"),
        ("12:9", "9:12"),
        ("5,7,9:12", "5,7,9:12"),
        ("9:12,7,5", "5,7,9:12"),
        ("5,5,5", "5"),
        ("1:3,2:8,9,11", "1:9,11"),
        ("2:8,3:4", "2:8"),
        ("3:*,5,*", "3:*"),
        ("7,3:*,2", "2:*"),
        ("*,4294967295", "4294967295,*"),
        ("1:4294967295,*", "1:4294967295,*"),
    ] {
        assert_eq!(SequenceSet::try_from(text).unwrap().to_string(), normal, "{text}");
    }
    assert_eq!(SequenceSet::all().to_string(), "1:*");
    assert_eq!(SequenceSet::try_from(RangeInclusive::new(9, 2)).unwrap().to_string(), "2:9");
    assert_eq!(SequenceSet::try_from(&[u32::MAX, 1, 2][..]).unwrap().to_string(), "1:2,4294967295");
    assert_eq!(format!("{:?}", SequenceSet::all()), "SequenceSet(1:*)");
}

#[test]
fn rule_9_nothing_else_is() {
    for bad in [
        "",
        "0",
        "0:5",
        "1:0",
        "a",
        "1 2",
        " 1",
        "1 ",
        "1,",
        ",1",
        "1:",
        ":1",
        "1:2:3",
        "-1",
        "+1",
        "1\r",
        "1\n",
        "1\0",
        "1\r\nA9 LOGOUT",
        "4294967296",
        "1:*:2",
        "**",
        "{1}",
        "1,{1}",
        "$",
        "１",
    ] {
        assert!(SequenceSet::try_from(bad).is_err(), "{bad:?}");
        assert!(SequenceSet::as_sent(bad.as_bytes()).is_none(), "{bad:?}");
    }
    assert!(SequenceSet::try_from(0).is_err() && SequenceSet::try_from(0..).is_err());
    assert!(SequenceSet::try_from(&[][..]).is_err() && SequenceSet::try_from(&[0][..]).is_err());
}

/// A server's set keeps its order, and is counted without being expanded.
#[test]
fn rule_12_ranges_stay_ranges() {
    let set = SequenceSet::as_sent(b"304,320:319,7").unwrap();
    assert_eq!(set.to_string(), "304,319:320,7");
    assert_eq!(set.len(), Some(4));
    assert!(set.contains(319) && !set.contains(318));

    let all = SequenceSet::as_sent(b"1:4294967295").unwrap();
    assert_eq!((all.len(), all.ranges().len()), (Some(4_294_967_295), 1));

    let open = SequenceSet::try_from("5,9:*").unwrap();
    assert_eq!(open.len(), None);
    assert!(open.contains(u32::MAX) && !open.contains(6));
    let last = SequenceSet::try_from("*").unwrap();
    assert_eq!((last.contains(1), last.len()), (false, None));
}

#[test]
fn parts_are_as_long_as_they_may_be() {
    let parts = |text: &str, max| {
        let set = SequenceSet::as_sent(text.as_bytes()).unwrap();
        let parts: Vec<_> = set.chunks(max).map(|part| part.to_string()).collect();
        assert_eq!(parts.join(","), text);
        parts
    };
    assert_eq!(parts("1:3,5,7:*", 5), ["1:3,5", "7:*"]);
    assert_eq!(parts("1:3,5,7:*", 8), ["1:3,5", "7:*"]);
    assert_eq!(parts("1:3,5,7:*", 9), ["1:3,5,7:*"]);
    assert_eq!(parts("9,10,99,100,*", 4), ["9,10", "99", "100", "*"]);
    // The order is the server's; no range is split, however long.
    assert_eq!(parts("1234567890:4294967295,7,3", 3), ["1234567890:4294967295", "7,3"]);
    assert_eq!(parts("10,2,300", 0), ["10", "2", "300"]);
    assert_eq!(parts("1:4294967295", 8_000), ["1:4294967295"]);

    let odd: Vec<u32> = (0..100_000).map(|n| n * 37 + 1).collect();
    let set = SequenceSet::try_from(&odd).unwrap();
    let lengths: Vec<_> = set.chunks(8_000).map(|part| part.to_string().len()).collect();
    assert!(lengths.iter().all(|&length| length <= 8_000), "{lengths:?}");
    // None could have had one more.
    assert!(lengths.iter().rev().skip(1).all(|&length| length > 8_000 - 8), "{lengths:?}");
    assert_eq!(set.chunks(8_000).map(|part| part.len().unwrap()).sum::<u64>(), 100_000);
}

/// As the ranges expanded would have it, whatever their order, and whether they overlap or not.
#[test]
fn rule_12_two_sets_stand_side_by_side_as_ranges() {
    let sent = |text: &str| SequenceSet::as_sent(text.as_bytes()).unwrap();
    let most = u32::MAX;
    for (set, beside, found) in [
        ("304,319:320,5", "3956:3958", vec![(304, 3956), (319, 3957), (320, 3958)]),
        ("304,320:319,7", "9,2:3,1", vec![(304, 9), (319, 2), (320, 3), (7, 1)]),
        ("1:4", "7:8,3,5", vec![(1, 7), (2, 8), (3, 3), (4, 5)]),
        ("9,1:2", "1:10", vec![(9, 1), (1, 2), (2, 3)]),
        // A number that is named twice is in the range that starts lower, or comes first; the rest is where it was.
        ("3:5,1:4", "11:17", vec![(3, 16), (4, 17), (5, 13), (1, 14), (2, 15)]),
        ("2,2,1:3", "1:5", vec![(1, 3), (2, 4), (3, 5)]),
        ("1:9,2:3,5", "1:12", (1..=9).map(|n| (n, n)).collect()),
    ] {
        let pairs = Pairs::new(&sent(set), &sent(beside));
        for number in 0..400 {
            let wanted = found.iter().find(|(one, _)| *one == number).map(|(_, other)| *other);
            assert_eq!(pairs.beside(number), wanted, "{number} of {set} beside {beside}");
        }
        assert_eq!(pairs.beside(most), None);
    }
    let all = Pairs::new(&SequenceSet::try_from(1..=most).unwrap(), &SequenceSet::try_from(1..=most).unwrap());
    assert_eq!((all.beside(most), all.beside(0), all.runs.len()), (Some(most), None, 1));
}
