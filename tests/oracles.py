"""Literal, slow transcriptions of the formulas, in NumPy."""

import numpy as np


def em_routing_loops(votes, activation, beta_u, beta_a, iterations):
    """EM routing of one position; votes (I, K, P), activation (I,)."""
    eps, inv_temperature = 1e-8, 1e-6
    num_in, num_out, size = votes.shape
    r = np.full((num_in, num_out), 1 / num_out)
    for iteration in range(iterations):
        hat = np.empty_like(r)
        for i in range(num_in):
            row = activation[i] * r[i]
            hat[i] = row / (row.sum() + eps)
        mean, var = np.empty((num_out, size)), np.empty((num_out, size))
        cost = np.empty(num_out)
        for j in range(num_out):
            total = hat[:, j].sum()
            rho = hat[:, j] / (total + eps)
            for p in range(size):
                mean[j, p] = sum(rho[i] * votes[i, j, p] for i in range(num_in))
                var[j, p] = eps + sum(
                    rho[i] * (votes[i, j, p] - mean[j, p]) ** 2 for i in range(num_in)
                )
            cost[j] = total * sum(
                beta_u[j, p] + np.log(np.sqrt(var[j, p])) for p in range(size)
            )
        sd = np.sqrt(sum(cost - cost.mean()) ** 2 / num_out + eps)
        a = 1 / (
            1 + np.exp(-inv_temperature * (beta_a - (cost.mean() - cost) / (sd + eps)))
        )
        if iteration == iterations - 1:
            return mean, a
        for i in range(num_in):
            log_p = np.empty(num_out)
            for j in range(num_out):
                log_p[j] = sum(
                    -((votes[i, j, p] - mean[j, p]) ** 2) / (2 * var[j, p])
                    - np.log(np.sqrt(var[j, p]))
                    - 0.5 * np.log(2 * np.pi)
                    for p in range(size)
                ) + np.log(eps + a[j])
            e = np.exp(log_p - log_p.max())
            r[i] = e / e.sum()


def dynamic_routing_loops(votes, activation, iterations):
    """Routing by agreement of one position; votes (I, K, P), activation (I,)."""
    num_in, num_out, _ = votes.shape
    b = np.zeros((num_in, num_out))
    for _ in range(iterations):
        c = np.exp(b) / np.exp(b).sum(1, keepdims=True)
        pose = []
        for j in range(num_out):
            s = sum(activation[i] * c[i, j] * votes[i, j] for i in range(num_in))
            norm = np.sqrt((s**2).sum())
            pose.append(norm**2 / (1 + norm**2) * s / norm)
        for i in range(num_in):
            for j in range(num_out):
                b[i, j] += (pose[j] * votes[i, j]).sum()
    pose = np.stack(pose)
    return pose, np.sqrt((pose**2).sum(1))


def cyclic_variance_loops(first, second, window):
    """Variance on the ring of two views; (T, H, W) each, scaled to [0, 1]."""
    frames = len(first)
    ring = list(first) + [second[t] for t in range(frames - 2, 0, -1)]
    size, half = len(ring), window // 2
    var = [
        np.var([ring[(k + o) % size] for o in range(-half, half + 1)], axis=0)
        for k in range(size)
    ]
    out = np.empty_like(first)
    for t in range(frames):
        out[t] = 2 * var[t] if t in (0, frames - 1) else var[t] + var[size - t]
    out = out - out.min()
    return out / (out.max() + 1e-7)


def temporal_variance_loops(maps, window):
    """Variance of (T, H, W) in a centred window, cut at the ends, not scaled."""
    half = window // 2
    return np.stack(
        [np.var(maps[max(0, t - half) : t + half + 1], 0) for t in range(len(maps))]
    )


def curvature_loops(prob):
    """Second derivative along time of (T, H, W), as np.gradient takes it."""
    return np.gradient(np.gradient(prob, axis=0), axis=0)


def spread_loops(scores, labels, margin):
    """Squared hinge over wrong classes, mean over clips."""
    total = 0.0
    for row, label in zip(scores, labels):
        for j, score in enumerate(row):
            if j != label:
                total += max(0.0, margin - (row[label] - score)) ** 2
    return total / len(scores)


def dice_loops(logits, target):
    prob = 1 / (1 + np.exp(-logits.ravel()))
    target = target.ravel()
    overlap = sum(p * t for p, t in zip(prob, target))
    return 1 - (2 * overlap + 1) / (prob.sum() + target.sum() + 1)
