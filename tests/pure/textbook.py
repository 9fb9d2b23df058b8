# SPDX-License-Identifier: GPL-3.0-or-later
"""How textbooks finger scales, arpeggios, broken chords and double thirds: test data, not code.

After the common ground of Hanon (Le Pianiste virtuose), Cooke (Mastering the Scales and Arpeggios), ABRSM and Alfred's
Complete Book of Scales; a note on which they differ lists every choice, in brackets.
"""

# Fingers of one octave from tonic to the note below the next tonic, ascending; then first note and last note of the
# whole scale where they differ from the octave's pattern. The pattern holds descending too.
# key: (tonic pitch class, right pattern, right first, right last, left pattern, left first, left last)
MAJOR = {
    "C": (0, "1231234", "1", "5", "1432132", "5", "1"),
    "G": (7, "1231234", "1", "5", "1432132", "5", "1"),
    "D": (2, "1231234", "1", "5", "1432132", "5", "1"),
    "A": (9, "1231234", "1", "5", "1432132", "5", "1"),
    "E": (4, "1231234", "1", "5", "1432132", "5", "1"),
    "B": (11, "1231234", "1", "5", "1321432", "4", "1"),
    "F": (5, "1234123", "1", "4", "1432132", "5", "1"),
    "Bb": (10, "4123123", "[24]", "4", "3214321", "3", "[23]"),
    "Eb": (3, "3123412", "[23]", "3", "3214321", "3", "[23]"),
    "Ab": (8, "3412312", "[23]", "3", "3214321", "3", "[23]"),
    "Db": (1, "2312341", "2", "2", "3214321", "3", "[23]"),
    "F#": (6, "2341231", "2", "2", "4321321", "4", "[24]"),
}
HARMONIC_MINOR = {
    "A": (9, "1231234", "1", "5", "1432132", "5", "1"),
    "E": (4, "1231234", "1", "5", "1432132", "5", "1"),
    "D": (2, "1231234", "1", "5", "1432132", "5", "1"),
    "G": (7, "1231234", "1", "5", "1432132", "5", "1"),
    "C": (0, "1231234", "1", "5", "1432132", "5", "1"),
    "B": (11, "1231234", "1", "5", "1321432", "4", "1"),
    "F": (5, "1234123", "1", "4", "1432132", "5", "1"),
    "F#": (6, "3412312", "[23]", "3", "4321321", "4", "[24]"),
    "C#": (1, "3412312", "[23]", "3", "3214321", "3", "[23]"),
    "G#": (8, "3412312", "[23]", "3", "32[14][34][23][12][14]", "3", "[23]"),
    "Eb": (3, "3123412", "[23]", "3", "2143213", "2", "2"),
    "Bb": (10, "4123123", "[24]", "4", "2132143", "2", "2"),
}
# The melodic scale going up, where a raised sixth that becomes a black key moves the thumb or brings in a choice; the other
# keys are fingered as the harmonic scale.
MELODIC_MINOR = {
    **HARMONIC_MINOR,
    "F#": (6, "[23][34]12341", "[23]", "[23]", "4321321", "4", "[24]"),
    "C#": (1, "[23][34]12341", "[23]", "[23]", "3214321", "3", "[23]"),
    "G#": (8, "3412312", "[23]", "3", "32[14][34][23][12][134]", "3", "[23]"),
    "Bb": (10, "4123123", "[24]", "4", "21[34][23][12][14][34]", "2", "2"),
}
MAJOR_STEPS = (0, 2, 4, 5, 7, 9, 11)
HARMONIC_MINOR_STEPS = (0, 2, 3, 5, 7, 8, 11)
MELODIC_MINOR_STEPS = (0, 2, 3, 5, 7, 9, 11)

# Pairs of fingers that take thirds in scales: bound, and at a run's ends.
THIRDS = ([1, 3], [2, 4], [3, 5], [1, 4], [2, 5])
THIRDS_AT_THE_ENDS = [1, 2]

# Chromatic scale from C: fingers by pitch class. Right and left; 1 on white and 3 on black keys, 2 where two whites meet.
CHROMATIC_RIGHT = "231312313131"
CHROMATIC_LEFT = "131321313132"

# Root position arpeggios: steps, then patterns as above over the three notes.
MAJOR_ARPEGGIO = {
    "C": (0, "123", "1", "5", "1[34]2", "5", "1"),
    "G": (7, "123", "1", "5", "1[34]2", "5", "1"),
    "F": (5, "123", "1", "5", "1[34]2", "5", "1"),
    "D": (2, "123", "1", "5", "1[34]2", "5", "1"),
    "A": (9, "123", "1", "5", "1[34]2", "5", "1"),
    "E": (4, "123", "1", "5", "1[34]2", "5", "1"),
    "B": (11, "123", "1", "5", "1[34]2", "5", "1"),
    "F#": (6, "123", "1", "5", "1[34]2", "5", "1"),
    "Bb": (10, "412", "[24]", "4", "321", "3", "3"),
    "Eb": (3, "412", "[24]", "4", "214", "2", "2"),
    "Ab": (8, "412", "[24]", "4", "214", "2", "2"),
    "Db": (1, "412", "[24]", "4", "214", "2", "2"),
}
MINOR_ARPEGGIO = {
    "C": (0, "123", "1", "5", "1[34]2", "5", "1"),
    "G": (7, "123", "1", "5", "1[34]2", "5", "1"),
    "F": (5, "123", "1", "5", "1[34]2", "5", "1"),
    "D": (2, "123", "1", "5", "1[34]2", "5", "1"),
    "A": (9, "123", "1", "5", "1[34]2", "5", "1"),
    "E": (4, "123", "1", "5", "1[34]2", "5", "1"),
    "B": (11, "123", "1", "5", "1[34]2", "5", "1"),
    "Eb": (3, "123", "1", "5", "1[34]2", "5", "1"),
    "F#": (6, "412", "[24]", "4", "214", "2", "2"),
    "C#": (1, "412", "[24]", "4", "214", "2", "2"),
    "G#": (8, "412", "[24]", "4", "214", "2", "2"),
    "Bb": (10, "231", "[23]", "[23]", "321", "3", "[23]"),
}
# Dominant sevenths on white keys: one hand's position to an octave.
DOMINANT_SEVENTH_ARPEGGIO = {
    name: (tonic, "1234", "1", "5", "1432", "5", "1")
    for name, tonic in (("C", 0), ("D", 2), ("E", 4), ("F", 5), ("G", 7), ("A", 9), ("B", 11))
}
MAJOR_TRIAD = (0, 4, 7)
MINOR_TRIAD = (0, 3, 7)
DOMINANT_SEVENTH = (0, 4, 7, 10)

# Broken chords of four notes in close position, each rising chord fingered on its own: root position, first and second
# inversion. (intervals from the lowest note, right hand, left hand)
BROKEN = {
    "major": (
        ((0, 4, 7, 12), "1235", "5[34]21"),
        ((0, 3, 8, 12), "1245", "5421"),
        ((0, 5, 9, 12), "12[34]5", "53[2]1"),
    ),
    "minor": (
        ((0, 3, 7, 12), "1235", "5421"),
        ((0, 4, 9, 12), "1245", "5421"),
        ((0, 5, 8, 12), "12[34]5", "53[2]1"),
    ),
}


def choices(pattern: str) -> list[set[int]]:
    """ "1[34]2" -> [{1}, {3, 4}, {2}]."""
    result: list[set[int]] = []
    inside = False
    for letter in pattern:
        if letter == "[":
            inside = True
            result.append(set())
        elif letter == "]":
            inside = False
        elif inside:
            result[-1].add(int(letter))
        else:
            result.append({int(letter)})
    return result


def run_up_and_down(entry: tuple, steps: tuple[int, ...], *, octaves: int, left: bool) -> tuple[list[int], list[set[int]]]:
    """Pitches and allowed fingers of a scale or arpeggio over `octaves`, up and down."""
    tonic = entry[0]
    pattern, first, last = entry[4:7] if left else entry[1:4]
    base = (36 if left else 48) + tonic
    pitches = [base + 12 * octave + step for octave in range(octaves) for step in steps] + [base + 12 * octaves]
    allowed = choices(pattern) * octaves
    allowed = [*choices(first), *allowed[1:], *choices(last)]
    return pitches + pitches[-2::-1], allowed + allowed[-2::-1]
