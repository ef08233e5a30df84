// Curves that grow: the whole comes once, and then what was added.

// Whole curves -> copies that may grow.
export function copied(curves) {
  return Object.fromEntries(
    Object.entries(curves ?? {}).map(([name, { count, rows }]) => [name, { count, rows: [...rows] }]),
  );
}

// Take in what was added. A piece that is in there already, or that follows
// on another beginning than ours, is left out: the whole is on its way.
export function join(curves, added) {
  for (const [name, piece] of Object.entries(added ?? {})) {
    curves[name] ??= { count: 0, rows: [] };
    const curve = curves[name];
    if (piece.from !== curve.count) continue;
    curve.rows.push(...piece.rows);
    curve.count += piece.rows.length;
  }
  return curves;
}

// Two columns of a curve's rows, as points; what is no number is left out. Rows are
// lists, or objects with names.
export function points(curve, x = 0, y = 1) {
  return (curve?.rows ?? []).map((row) => [row[x], row[y]]).filter(([a, b]) => a !== null && b !== null);
}
